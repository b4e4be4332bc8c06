package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"rollcall/pipeline/applock"
	"rollcall/sources/simulated"
)

func TestASecondRunOfAnAppOnThisMachineIsRefused(t *testing.T) {
	t.Parallel()
	s, err := serve(simulated.Options{Seed: 1, Users: 20, Groups: 4, Now: time.Now}, "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	config, err := s.write(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	place := applock.Place{Folders: []applock.Folder{{Path: filepath.Join(t.TempDir(), "rollcall")}}, UID: os.Getuid()}
	app := applock.App{Vendor: "rongcloud", ID: simulated.DemoAppKey, Address: "loopback:" + s.URL[strings.LastIndexByte(s.URL, ':')+1:]}
	locks, err := applock.Take(place, []applock.App{app}, applock.Holder{PID: 4711, Date: "2026-11-21", Since: midnight, State: "/srv/other/.rollcall", Sink: "s3://lake/other"})
	if err != nil {
		t.Fatal(err)
	}
	defer locks.Release(time.Time{})
	var stdout, stderr bytes.Buffer
	env := testEnv(&stdout, &stderr, "run", "--config", config, "--progress", "none", "--json")
	env.Now, env.Random, env.Apps = time.Now, func() uint64 { return 1 }, place
	if got := Main(t.Context(), env); got != Busy {
		t.Fatalf("it ended with %d: %s", got, stderr.String())
	}
	for _, want := range []string{`"kind":"busy"`, "process 4711", "/srv/other/.rollcall", "s3://lake/other", `"hint":"wait until it has ended, or ask for both in one configuration; only runs on different machines can divide a budget, with share"`} {
		if !strings.Contains(stderr.String(), want) {
			t.Errorf("it does not say %s:\n%s", want, stderr.String())
		}
	}
	for path, c := range s.world.Counts() {
		if c.Requests > 0 {
			t.Errorf("%s was asked %d times", path, c.Requests)
		}
	}
}

func TestLocksOfAppsLieWhereSessionsAndSchedulersMeet(t *testing.T) {
	t.Parallel()
	temp := applock.Folder{Path: "/tmp/rollcall-1000"}
	for runtime, want := range map[string][]applock.Folder{
		"":               {temp},
		"run":            {temp}, // which the specification of XDG_RUNTIME_DIR tells to ignore
		"/run/user/1000": {{Path: "/run/user/1000/rollcall", Within: true}, temp},
	} {
		got := lockFolders(func(name string) (string, bool) { return runtime, name == "XDG_RUNTIME_DIR" && runtime != "" }, "/tmp", 1000)
		if !slices.Equal(got, want) {
			t.Errorf("XDG_RUNTIME_DIR=%s gives %v", runtime, got)
		}
	}
}
