package simulated_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"rollcall/sources/simulated"
)

func TestNoSecondAdmitsMoreThanTheBudget(t *testing.T) {
	t.Parallel()
	now := noon
	o := calm()
	o.Limits, o.Record, o.Now = map[string]int{simulated.PathUserGroups: 3}, true, func() time.Time { return now }
	for name, c := range map[string]struct {
		window simulated.Window
		want   []int
	}{
		"a sliding second": {simulated.Sliding, []int{200, 200, 200, 429, 429, 200, 200}},
		"a fixed second":   {simulated.FixedSecond, []int{200, 200, 200, 200, 200, 200, 429}},
	} {
		o.Window = c.window
		w := simulated.New(o)
		var got []int
		for _, at := range []int{900, 950, 999, 1000, 1899, 1900, 1950} {
			now = noon.Add(time.Duration(at) * time.Millisecond)
			status, body := rong(t, w, simulated.PathUserGroups, "userId", "u")
			if status == 429 && body["code"] != 1008.0 {
				t.Errorf("%v", body)
			}
			got = append(got, status)
		}
		count := w.Counts()[simulated.PathUserGroups]
		if !slices.Equal(got, c.want) || count.Requests != 7 || len(count.Arrivals) != 7 {
			t.Errorf("%s: %v, %+v", name, got, count)
		}
		if count.MaxPerSecond != 5 {
			t.Errorf("%s: at most %d in a second", name, count.MaxPerSecond)
		}
	}
}

func TestBudgetsAreOfOnePathEach(t *testing.T) {
	t.Parallel()
	o := calm()
	o.Limits = nil
	o.ThrottleCode = 60011
	w := simulated.New(o)
	w.Tencent.AddUser("u")
	for range 100 {
		rong(t, w, simulated.PathUserGroups, "userId", "u")
		chat(t, w, simulated.PathTencentJoined, `{"Member_Account":"u"}`)
	}
	if status, _ := rong(t, w, simulated.PathUserGroups, "userId", "u"); status != 429 {
		t.Errorf("request 101: %d", status)
	}
	if status, _ := rong(t, w, simulated.PathJoinedGroups, "userId", "u"); status != 200 {
		t.Errorf("another path: %d", status)
	}
	for range 100 {
		if code, _ := chat(t, w, simulated.PathTencentJoined, `{"Member_Account":"u"}`); code != 0 {
			t.Fatalf("code %d", code)
		}
	}
	if code, _ := chat(t, w, simulated.PathTencentJoined, `{"Member_Account":"u"}`); code != 60011 {
		t.Errorf("request 201: %d", code)
	}
}

func TestLatencyOnVirtualTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := calm()
		o.Now, o.MinLatency, o.MaxLatency = time.Now, 20*time.Millisecond, 30*time.Millisecond
		w := simulated.New(o)
		start := time.Now()
		for range 100 {
			rong(t, w, simulated.PathUserGroups, "userId", "u")
		}
		if d := time.Since(start); d < 2*time.Second || d > 3*time.Second {
			t.Errorf("100 requests took %s", d)
		}
	})
}

func TestFaultsHitWhatTheyAreMeantFor(t *testing.T) {
	t.Parallel()
	w := simulated.New(calm())
	w.Fault(simulated.Fault{Path: simulated.PathUserGroups, Key: "a", Nth: 2, Times: 2, Do: simulated.Code(1000, "internal error")})
	var got []int
	for _, user := range []string{"a", "b", "a", "b", "a", "a"} {
		status, _ := rong(t, w, simulated.PathUserGroups, "userId", user)
		got = append(got, status)
	}
	if !slices.Equal(got, []int{200, 200, 500, 200, 500, 200}) {
		t.Errorf("%v", got)
	}
	w.Heal()
	w.Fault(simulated.Fault{Probability: 0.3, Do: simulated.Status(502, "bad gateway")})
	failed := 0
	for range 1000 {
		answer, err := w.Transport().RoundTrip(rongRequest(t, simulated.PathUserGroups, fields("userId", "u")))
		if err != nil {
			t.Fatal(err)
		}
		if answer.StatusCode == 502 {
			failed++
		}
	}
	if failed < 240 || failed > 360 {
		t.Errorf("%d of 1000 failed at 30 %%", failed)
	}
}

func TestFaultsOfTheWire(t *testing.T) {
	t.Parallel()
	w := simulated.New(calm())
	server := httptest.NewServer(w.Handler())
	defer server.Close()
	get := func(effect simulated.Effect, ctx context.Context) (*http.Response, string, error) {
		w.Heal()
		w.Fault(simulated.Fault{Do: effect})
		r := rongRequest(t, simulated.PathUserGroups, fields("userId", "u")).WithContext(ctx)
		r.URL.Host = strings.TrimPrefix(server.URL, "http://")
		answer, err := server.Client().Do(r)
		if err != nil {
			return nil, "", err
		}
		defer answer.Body.Close()
		body, err := io.ReadAll(answer.Body)
		return answer, string(body), err
	}
	ctx := t.Context()
	if _, _, err := get(simulated.Reset(), ctx); !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, io.EOF) {
		t.Errorf("reset: %v", err)
	}
	if a, body, err := get(simulated.HTML(502), ctx); err != nil || a.StatusCode != 502 || !strings.HasPrefix(body, "<html>") {
		t.Errorf("HTML: %q %v", body, err)
	}
	if _, body, err := get(simulated.Truncated(), ctx); err != nil || body != `{"code":200,"gro` {
		t.Errorf("truncated: %q %v", body, err)
	}
	if _, body, err := get(simulated.Huge(5<<20), ctx); err != nil || len(body) < 5<<20 {
		t.Errorf("huge: %d bytes, %v", len(body), err)
	}
	if a, body, err := get(simulated.Throttled("7"), ctx); err != nil || a.StatusCode != 429 || a.Header.Get("Retry-After") != "7" || !strings.Contains(body, "1008") {
		t.Errorf("throttled: %q %v", body, err)
	}
	if _, body, err := get(simulated.Delay(time.Millisecond), ctx); err != nil || body != `{"code":200,"groups":[]}` {
		t.Errorf("delayed: %q %v", body, err)
	}
	short, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
	defer cancel()
	if _, _, err := get(simulated.Silence(), short); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("silence: %v", err)
	}
}

func TestFaultsOfPaging(t *testing.T) {
	t.Parallel()
	w := simulated.New(calm())
	for i := range 120 {
		w.RongCloud.AddMember("g", "u"+strconv.Itoa(i), simulated.Member{})
	}
	read := func(token string) (first string, rows int, total any, next string) {
		form := []string{"groupId", "g", "order", "0"}
		if token != "" {
			form = append(form, "pageToken", token)
		}
		_, body := rong(t, w, simulated.PathGroupMembers, form...)
		list := body["members"].([]any)
		next, _ = body["pageToken"].(string)
		return list[0].(object)["userId"].(string), len(list), body["totalCount"], next
	}
	_, _, _, second := read("")
	w.Fault(simulated.Fault{Do: simulated.DuplicateRow()})
	if first, rows, _, _ := read(second); first != "u49" || rows != 51 {
		t.Errorf("duplicate: %s, %d rows", first, rows)
	}
	w.Heal()
	w.Fault(simulated.Fault{Do: simulated.RepeatedToken()}, simulated.Fault{Do: simulated.MissingRow()}, simulated.Fault{Times: 1, Do: simulated.Total(5)})
	if _, rows, total, next := read(second); rows != 49 || total != 125.0 || next != second {
		t.Errorf("%d rows, total %v", rows, total)
	}
	if _, _, total, _ := read(""); total != 120.0 {
		t.Errorf("total goes on at %v", total)
	}
	w.Heal()
	w.Fault(simulated.Fault{Do: simulated.Surrogate()})
	w.Tencent.AddMember("g", "u", simulated.Member{})
	_, body := chat(t, w, simulated.PathTencentJoined, `{"Member_Account":"u","ResponseFilter":{"GroupBaseInfoFilter":["Name"]}}`)
	if name := body["GroupIdList"].([]any)[0].(object)["Name"]; name != "g\ufffd" {
		t.Errorf("name %q", name)
	}
}

func TestListsNameUsersAndGroups(t *testing.T) {
	t.Parallel()
	w := simulated.New(calm())
	w.RongCloud.AddMember("g", "u 1", simulated.Member{})
	w.RongCloud.AddUnlistedUser("hidden")
	w.Tencent.AddGroup(simulated.Group{ID: "t", Unlisted: true})
	dir := t.TempDir()
	if err := w.WriteLists(dir); err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]string{
		"rongcloud/users.txt": "u 1\n", "rongcloud/groups.txt": "g\n", "tencentchat/users.txt": "", "tencentchat/groups.txt": "",
	} {
		if got, err := os.ReadFile(filepath.Join(dir, file)); err != nil || string(got) != want {
			t.Errorf("%s: %q %v", file, got, err)
		}
	}
	w.RongCloud.AddUser("two\nlines")
	if err := w.WriteLists(dir); err == nil {
		t.Error("an ID of two lines was written")
	}
}
