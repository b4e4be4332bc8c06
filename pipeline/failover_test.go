package pipeline_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"rollcall/pipeline"
	"rollcall/pipeline/event"
	"rollcall/sources/rongcloud"
	"rollcall/sources/simulated"
	"rollcall/sources/tencentchat"
)

func TestANightGoesOnAtTheBackupHostsWithinTheSameBudgets(t *testing.T) {
	t.Parallel()
	const limit = 150
	options := simulated.Options{Seed: 21, Users: 150, Groups: 30, Limits: map[string]int{}}
	for _, path := range simulated.Paths() {
		options.Limits[path] = limit
	}
	world := simulated.New(options)
	quiet := newNight(t, simulated.New(unlimited(options))).everything().sealed()

	// The main host dies after a hundred requests and stays dead; both hosts lead to one vendor.
	left := atomic.Int64{}
	left.Store(100)
	main := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if left.Add(-1) < 0 {
			panic(http.ErrAbortHandler)
		}
		world.Handler().ServeHTTP(rw, r)
	}))
	t.Cleanup(main.Close)
	n := newNight(t, world).everything()
	backup := n.server.URL
	n.job.Sources[0].Config = &rongcloud.Config{Endpoint: main.URL, BackupEndpoint: backup, Failover: true, AppKey: simulated.DemoAppKey, AppSecret: simulated.DemoAppSecret}
	n.job.Sources[1].Config = &tencentchat.Config{Endpoint: main.URL, BackupEndpoint: backup, Failover: true, SDKAppID: 1400000001, Identifier: simulated.DemoIdentifier, SecretKey: simulated.DemoSecretKey}
	for i := range n.job.Sources {
		for name, b := range n.job.Sources[i].Budgets {
			b.PerSecond = limit
			n.job.Sources[i].Budgets[name] = b
		}
	}
	var told []string
	result, err := n.run(func(r *pipeline.Request) {
		r.Listen = func(e event.Event) {
			if notice, ok := e.(event.Notice); ok {
				told = append(told, notice.Text)
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	s := n.read(result)
	for _, table := range []string{"memberships", "groups", "users", "discrepancies"} {
		if s.sums[table] != quiet.sums[table] {
			t.Errorf("%s is not that of a night without trouble", table)
		}
	}
	for path, count := range world.Counts() {
		if count.Throttled > 0 || count.MaxPerSecond > limit {
			t.Errorf("%s got %d requests in a second at both hosts together, %d may", path, count.MaxPerSecond, limit)
		}
	}
	for _, row := range s.sources {
		if row.Endpoint != main.URL {
			t.Errorf("%s has the endpoint %s, configured is %s", row.Source, row.Endpoint, main.URL)
		}
	}
	if text := strings.Join(told, "\n"); !strings.Contains(text, "going over to the backup host "+strings.TrimPrefix(backup, "http://")+": ") {
		t.Errorf("nobody was told: %s", text)
	}
}
