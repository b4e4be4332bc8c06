package metrics_test

import (
	"flag"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"rollcall/pipeline/event"
	"rollcall/pipeline/metrics"
	"rollcall/schema/fault"
)

var update = flag.Bool("update", false, "write METRICS.md and the golden files anew")

func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs (go test ./pipeline/metrics -update rewrites it)\n--- got\n%s\n--- want\n%s", path, got, want)
	}
}

var midnight = time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)

func begun() event.Started {
	return event.Started{Date: "2026-11-21", Place: "s3://acme-audit/im", Resumed: true, Since: midnight.Add(-10 * time.Minute), Found: 12_000}
}

func fetching() event.Progress {
	return event.Progress{
		At: midnight.Add(1500 * time.Millisecond), Elapsed: 1500 * time.Millisecond,
		Phase: event.Fetching, Left: 5 * time.Minute, SpoolSize: 1 << 20,
		Blocks: []event.Block{
			{Address: "rongcloud_user_groups.staff", Source: "rongcloud.prod", Endpoint: "user_groups", Unit: "users", Done: 100, Known: 100, Final: true, Rows: 1500},
			{Address: "rongcloud_group_members.all", Source: "rongcloud.prod", Endpoint: "group_members", Unit: "groups", Done: 12_400, Known: 40_000, Rows: 1_240_000, Missing: 3, Left: -1},
		},
		Endpoints: []event.Endpoint{
			{Source: "rongcloud.prod", Name: "user_groups", PerSecond: 100, Allowed: 80, Bounds: bounds()},
			{
				Source: "rongcloud.prod", Name: "group_members", PerSecond: 100, Allowed: 40, Pace: 39.5,
				Requests: 12_420, Retries: 12, Throttles: 9, Failures: 4, Answers: 12_405, Took: 620*time.Second + 250*time.Millisecond,
				Bounds: bounds(), Latencies: [12]int64{1, 2, 2, 12_000, 300, 50, 40, 5, 1, 1, 1, 2},
			},
		},
	}
}

func bounds() (b [11]time.Duration) {
	for i := range b {
		b[i] = 5 * time.Millisecond << i
	}
	return b
}

// told makes metrics that have heard events.
func told(events ...event.Event) *metrics.Metrics {
	m := metrics.New("v1.2.3")
	for _, e := range events {
		m.Listen(e)
	}
	return m
}

// scraped is what a scrape gives.
func scraped(t *testing.T, m *metrics.Metrics) string {
	t.Helper()
	handler, err := m.Handler()
	if err != nil {
		t.Fatal(err)
	}
	answer := httptest.NewRecorder()
	handler.ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
	if answer.Code != http.StatusOK {
		t.Fatalf("a scrape is answered with %d: %s", answer.Code, answer.Body)
	}
	return answer.Body.String()
}

func TestEveryFamilyIsShownAsTheEventsToldIt(t *testing.T) {
	t.Parallel()
	text := scraped(t, told(begun(), event.Notice{Warning: true, Text: "throttled"}, event.Notice{Text: "by the way"}, fetching()))
	golden(t, filepath.Join("testdata", "fetching.golden"), text)
	for _, f := range metrics.Families() {
		if !strings.Contains(text, "# TYPE "+f.Name+" "+string(f.Type)+"\n") {
			t.Errorf("%s is no %s in the exposition, or not in it", f.Name, f.Type)
		}
	}
}

func TestAllThatIsShownIsDocumented(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("METRICS.md")
	if err != nil {
		t.Fatal(err)
	}
	text := scraped(t, told(begun(), fetching()))
	shown := regexp.MustCompile(`(?m)^# TYPE (\S+) (\S+)$`).FindAllStringSubmatch(text, -1)
	if len(shown) < 20 {
		t.Errorf("only %d metrics are shown", len(shown))
	}
	for _, metric := range shown {
		if !strings.HasPrefix(metric[1], "rollcall_") || !strings.Contains(string(page), "| `"+metric[1]+"` | "+metric[2]+" |") {
			t.Errorf("the %s %s is not in the table of METRICS.md", metric[2], metric[1])
		}
	}
	// Its questions ask for nothing that is not shown.
	for _, name := range regexp.MustCompile(`rollcall_[a-z_]+`).FindAllString(string(page), -1) {
		if base := strings.TrimSuffix(name, "_bucket"); !strings.Contains(text, "# TYPE "+base+" ") {
			t.Errorf("METRICS.md mentions %s, which is not shown", name)
		}
	}
}

func TestThePageIsMadeFromTheFamilies(t *testing.T) {
	t.Parallel()
	golden(t, "METRICS.md", metrics.Markdown(metrics.Families()))
}

func TestNamesAreAsPrometheusWantsThem(t *testing.T) {
	t.Parallel()
	problems, err := promlint.New(strings.NewReader(scraped(t, told(begun(), fetching())))).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

func TestWhatIsNotKnownIsAbsent(t *testing.T) {
	t.Parallel()
	if got, want := scraped(t, told()), "# HELP rollcall_run_warnings_total Warnings told.\n# TYPE rollcall_run_warnings_total counter\nrollcall_run_warnings_total 0\n"; got != want {
		t.Errorf("before the first event a scrape gives\n%s", got)
	}
	p := fetching()
	p.Left = -1
	if text := scraped(t, told(begun(), p)); strings.Contains(text, "rollcall_run_left_seconds") || strings.Contains(text, `rollcall_data_left_seconds{data="rongcloud_group_members.all"`) {
		t.Errorf("a time that is not known is shown:\n%s", text)
	}
}

func TestAfterFetchingCountsStandAndThePaceIsZero(t *testing.T) {
	t.Parallel()
	m := told(begun(), fetching(), event.Progress{At: midnight.Add(time.Minute), Phase: event.Merging, Left: -1, SpoolSize: 7},
		event.Progress{At: midnight.Add(2 * time.Minute), Phase: event.Storing, Left: -1, SpoolSize: 7, Files: 3})
	text := scraped(t, m)
	for _, want := range []string{
		"rollcall_run_phase{phase=\"fetching\"} 0\n", "rollcall_run_phase{phase=\"storing\"} 1\n", "rollcall_stored_files 3\n", "rollcall_spool_bytes 7\n",
		"rollcall_requests_sent_total{endpoint=\"group_members\",source=\"rongcloud.prod\"} 12420\n",
		"rollcall_pace_requests_per_second{endpoint=\"group_members\",source=\"rongcloud.prod\"} 0\n",
		"rollcall_keys_done{data=\"rongcloud_group_members.all\",endpoint=\"group_members\",source=\"rongcloud.prod\",unit=\"groups\"} 12400\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the exposition lacks %q:\n%s", want, text)
		}
	}
	if strings.Contains(text, "rollcall_run_left_seconds") {
		t.Error("a time left is shown that nobody estimates")
	}
}

func TestSlicesOfAnEventAreNotKept(t *testing.T) {
	t.Parallel()
	p := fetching()
	m := told(begun(), p)
	before := scraped(t, m)
	p.Blocks[0].Done, p.Endpoints[0].Requests = 77, 77
	if after := scraped(t, m); after != before {
		t.Error("what the run does with its slices after an event changes what is shown")
	}
}

func TestAPlaceThatIsNotUTF8IsShown(t *testing.T) {
	t.Parallel()
	e := begun()
	e.Place = "/data/\xff\"x\"\n"
	if text := scraped(t, told(e)); !strings.Contains(text, `place="/data/`+"\uFFFD"+`\"x\"\n"`) {
		t.Errorf("the place is shown as\n%s", text)
	}
}

func TestTheServerAnswersAtMetricsLinksThemAndEndsWhole(t *testing.T) {
	t.Parallel()
	s, err := metrics.Serve("127.0.0.1:0", told(begun(), fetching()))
	if err != nil {
		t.Fatal(err)
	}
	root := strings.TrimSuffix(s.URL, "metrics")
	for url, want := range map[string]int{s.URL: http.StatusOK, root: http.StatusOK, root + "else": http.StatusNotFound} {
		if code, _ := get(t, url); code != want {
			t.Errorf("%s is answered with %d, want %d", url, code, want)
		}
	}
	if _, page := get(t, root); !strings.Contains(page, `<a href="/metrics">`) {
		t.Errorf("the root does not link the metrics: %s", page)
	}
	if err := s.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
	again, err := metrics.Serve(strings.TrimSuffix(strings.TrimPrefix(s.URL, "http://"), "/metrics"), told())
	if err != nil {
		t.Fatalf("after closing, the address is still taken: %v", err)
	}
	if err := again.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(body)
}

func TestWhatIsNoAddressIsAnotherFaultThanAnAddressThatIsTaken(t *testing.T) {
	t.Parallel()
	taken, err := metrics.Serve("127.0.0.1:0", told())
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for address, kind := range map[string]fault.Kind{
		"9100": fault.Configuration, "127.0.0.1": fault.Configuration, "127.0.0.1:99999": fault.Configuration, "127.0.0.1:-1": fault.Configuration, "127.0.0.1:metrics!": fault.Configuration,
		"192.0.2.1:9100": fault.Transient, strings.TrimSuffix(strings.TrimPrefix(taken.URL, "http://"), "/metrics"): fault.Transient,
	} {
		_, err := metrics.Serve(address, told())
		if fault.KindOf(err) != kind || err == nil || fault.HintOf(err) == "" || !strings.Contains(err.Error(), address) {
			t.Errorf("%s: %v", address, err)
		}
	}
}

func BenchmarkListen(b *testing.B) {
	m, p := told(begun()), fetching()
	for b.Loop() {
		m.Listen(p)
	}
}

func BenchmarkScrape(b *testing.B) {
	handler, err := told(begun(), fetching()).Handler()
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(b.Context(), http.MethodGet, "/metrics", nil))
	}
}
