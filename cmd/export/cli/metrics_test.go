package cli

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rollcall/pipeline/event"
	"rollcall/sources/all"
	"rollcall/sources/simulated"
)

// TestMetricsCountWhatTheVendorsCount scrapes a run when it has asked everything, and again when it
// has ended.
func TestMetricsCountWhatTheVendorsCount(t *testing.T) {
	t.Parallel()
	vendors, now := fewKeys(t)
	const throttles, failures = 2, 1
	vendors.world.Fault(
		simulated.Fault{Path: simulated.PathUserGroups, Nth: 5, Times: throttles, Do: simulated.Throttled("")},
		simulated.Fault{Path: simulated.PathUserGroups, Nth: 20, Times: failures, Do: simulated.Status(http.StatusBadGateway, "")},
	)
	config, err := vendors.write(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}

	var stdout, stderr bytes.Buffer
	var url, text string
	env := testEnv(&stdout, &stderr, "run", "--config", config, "--metrics", "127.0.0.1:0", "--progress", "log")
	env.Now, env.Random = now, rand.Uint64
	env.served = func(at string) { url = at }
	env.heard = func(e event.Event) {
		if p, is := e.(event.Progress); is && p.Phase == event.Merging && text == "" {
			text = scrape(t, url)
		}
	}
	if code := Main(t.Context(), env); code != Done {
		t.Fatalf("run ended with %d: %s", code, stderr.String())
	}

	if want := "Metrics are served at " + url + "\n"; !strings.Contains(stderr.String(), want) {
		t.Errorf("it is not said where: %s", stderr.String())
	}

	for path, count := range vendors.world.Counts() {
		endpoint := endpointAt(t, path)
		if count.Requests == 0 {
			continue
		}
		bad := map[string]int{}
		if path == simulated.PathUserGroups {
			bad = map[string]int{"throttled": throttles + count.Throttled, "failed": failures}
		}
		shows(t, text, "rollcall_requests_sent_total{%s} %d", endpoint, count.Requests)
		shows(t, text, "rollcall_retries_total{%s} %d", endpoint, bad["throttled"]+bad["failed"])
		shows(t, text, "rollcall_request_duration_seconds_count{%s} %d", endpoint, count.Requests-bad["throttled"]-bad["failed"])
		for result, n := range map[string]int{"ok": count.Requests - bad["throttled"] - bad["failed"], "throttled": bad["throttled"], "failed": bad["failed"]} {
			name, source, _ := strings.Cut(endpoint, ",")
			shows(t, text, `rollcall_requests_total{%s,result="%s",%s} %d`, name, result, source, n)
		}
	}
	shows(t, text, `rollcall_run_info{date="2026-11-21",place=%q,resumed="false",version="v0.0.0-test"} 1`, filepath.Join(filepath.Dir(config), "snapshots"))
	shows(t, text, `rollcall_keys_done{data="rongcloud_user_groups.all",endpoint="user_groups",source="rongcloud.demo",unit="users"} %d`, 40)
	shows(t, text, `rollcall_run_phase{phase="merging"} 1`)
	if connection, err := net.Dial("tcp", strings.TrimSuffix(strings.TrimPrefix(url, "http://"), "/metrics")); err == nil {
		connection.Close()
		t.Error("metrics are still served after the run")
	}
}

// fewKeys serves a world of a few users and groups that answer at once, and gives its clock.
func fewKeys(t *testing.T) (*server, func() time.Time) {
	t.Helper()
	begun := time.Now()
	now := func() time.Time { return midnight.Add(time.Since(begun)) }
	options := simulated.Demo()
	options.Now, options.TencentUsers, options.TencentGroups = now, 0, 0
	options.Users, options.Groups, options.MaxLatency = 40, 8, time.Millisecond
	options.MinLatency, options.Nasty, options.Huge, options.Disagreements = 0, false, false, 0
	vendors, err := serve(options, "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = vendors.close() })
	return vendors, now
}

func shows(t *testing.T, text, format string, args ...any) {
	t.Helper()
	if line := fmt.Sprintf(format, args...); !strings.Contains("\n"+text, "\n"+line+"\n") {
		t.Errorf("the scrape lacks %s:\n%s", line, text)
	}
}

// endpointAt are the labels of the endpoint at a vendor's path.
func endpointAt(t *testing.T, path string) string {
	t.Helper()
	for _, d := range all.Definitions() {
		for _, data := range d.Data {
			if data.Path == path {
				return fmt.Sprintf(`endpoint="%s",source="%s.demo"`, data.Name, d.Type)
			}
		}
	}
	t.Fatalf("nobody asks %s", path)
	return ""
}

func scrape(t *testing.T, url string) string {
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
	text, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("a scrape is answered with %s (%v): %s", response.Status, err, text)
	}
	return string(text)
}

func TestMetricsAtWhatIsNoAddressStopTheRunBeforeItBegins(t *testing.T) {
	t.Parallel()
	vendors, err := serve(simulated.Demo(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer vendors.close()
	config, err := vendors.write(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, address := range []string{"9100", "127.0.0.1:99999"} {
		got := rollcall(t, "run", "--config", config, "--metrics", address)
		if got.code != ChangeFirst || !strings.HasPrefix(got.stderr, "Error: metrics can't be served at "+address+": ") || !strings.Contains(got.stderr, "What to do: give a free address") {
			t.Errorf("--metrics %s ended with %d: %s", address, got.code, got.stderr)
		}
	}
	if counts := vendors.world.Counts(); counts[simulated.PathUserGroups].Requests != 0 {
		t.Error("the vendors were asked all the same")
	}
}

func TestMetricsWhereAnotherProgramListensCostTheMetricsAndNotTheRun(t *testing.T) {
	t.Parallel()
	vendors, now := fewKeys(t)
	config, err := vendors.write(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	address := strings.TrimPrefix(vendors.URL, "http://")
	var stdout, stderr bytes.Buffer
	env := testEnv(&stdout, &stderr, "run", "--config", config, "--metrics", address, "--progress", "none")
	env.Now, env.Random = now, rand.Uint64
	code := Main(t.Context(), env)
	if talk := stderr.String(); code != Done || !strings.Contains(talk, "Warning: metrics can't be served at "+address+": ") || !strings.Contains(talk, "the run goes on without them") {
		t.Errorf("it ended with %d: %s", code, talk)
	}
}
