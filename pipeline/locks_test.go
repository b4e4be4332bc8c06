package pipeline_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rollcall/pipeline"
	"rollcall/pipeline/applock"
	"rollcall/pipeline/event"
	"rollcall/pipeline/state"
	"rollcall/schema/disk/disktest"
	"rollcall/sources"
	"rollcall/sources/rongcloud"
	"rollcall/sources/simulated"
)

// machine is where runs of one user meet.
func machine(t *testing.T) applock.Place {
	return applock.Place{Folders: []applock.Folder{{Path: filepath.Join(t.TempDir(), "rollcall")}}, UID: os.Getuid()}
}

func TestTwoRunsOfOneAppOnOneMachine(t *testing.T) {
	t.Parallel()
	const real = "https://api.rong-api.com"
	for name, c := range map[string]struct {
		first, second rongcloud.Config
		refused       bool
	}{
		"one app, two sinks":            {rongcloud.Config{Endpoint: real, AppKey: "a"}, rongcloud.Config{Endpoint: real, AppKey: "a"}, true},
		"one app, asked elsewhere":      {rongcloud.Config{Endpoint: real, AppKey: "a"}, rongcloud.Config{Endpoint: "https://api-b.rong-api.com", AppKey: "a"}, true},
		"two apps":                      {rongcloud.Config{Endpoint: real, AppKey: "a"}, rongcloud.Config{Endpoint: real, AppKey: "b"}, false},
		"two simulated vendors":         {rongcloud.Config{Endpoint: "http://127.0.0.1:8080", AppKey: "a"}, rongcloud.Config{Endpoint: "http://127.0.0.1:8081", AppKey: "a"}, false},
		"one simulated vendor, 2 names": {rongcloud.Config{Endpoint: "http://127.0.0.1:8080", AppKey: "a"}, rongcloud.Config{Endpoint: "http://localhost:8080", AppKey: "a"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			place := machine(t)
			world := simulated.New(unlimited(simulated.Options{Seed: 8, Users: 60, Groups: 3}))
			first, second := slow(t, world), slow(t, world)
			for n, config := range map[*night]rongcloud.Config{first: c.first, second: c.second} {
				config.AppSecret = simulated.DemoAppSecret
				n.job.Sources[0].Config = renamed{&rongcloud.Config{Endpoint: "https://vendor.test", AppKey: simulated.DemoAppKey, AppSecret: simulated.DemoAppSecret}, config}
			}
			first.inBubble(func() {
				second.t = first.t
				work := func(n *night) (pipeline.Result, error) {
					return n.virtually(disktest.New(n.t, disktest.Options{}), func(r *pipeline.Request) { r.Apps = place })
				}
				done := make(chan error)
				go func() {
					_, err := work(first)
					done <- err
				}()
				time.Sleep(5 * time.Second) // virtual
				_, err := work(second)
				held, refused := errors.AsType[*applock.HeldError](err)
				if refused != c.refused || !refused && err != nil {
					t.Errorf("the second run: %v", err)
				}
				if refused && (held.Holder.State != first.state || held.Holder.Sink != first.out) {
					t.Errorf("it names %+v", held.Holder)
				}
				if kept, err := os.ReadDir(filepath.Join(second.state, date)); refused && err == nil {
					t.Errorf("the refused run has begun: %v", kept)
				}
				if err := <-done; err != nil {
					t.Errorf("the first run: %v", err)
				}
				if result, err := work(second); err != nil || result.Already == refused {
					t.Errorf("afterwards: %+v, %v", result.Already, err)
				}
			})
		})
	}
}

// renamed is an account under another's name, so that a simulated vendor can stand for it.
type renamed struct {
	*rongcloud.Config
	as rongcloud.Config
}

func (n renamed) Account() sources.Account { return n.as.Account() }

func TestARunThatAsksNothingTakesNoAppsLock(t *testing.T) {
	t.Parallel()
	place := machine(t)
	n := newNight(t, nasty(3, 20, 5)).everything()
	meet := func(r *pipeline.Request) { r.Apps = place }
	if _, err := n.run(meet); err != nil {
		t.Fatal(err)
	}
	var apps []applock.App
	for _, s := range n.job.Sources {
		account := s.Config.Account()
		apps = append(apps, applock.App{Source: s.Address, Vendor: s.Definition.Type, ID: account.AppID, Address: "loopback:" + account.Endpoint[strings.LastIndexByte(account.Endpoint, ':')+1:]})
	}
	locks, err := applock.Take(place, apps, applock.Holder{PID: 7})
	if err != nil {
		t.Fatal(err)
	}
	defer locks.Release(time.Time{})
	if result, err := n.run(meet); err != nil || !result.Already {
		t.Errorf("a sealed date: already %v, %v", result.Already, err)
	}
	_, err = n.run(func(r *pipeline.Request) { r.Apps, r.Date = place, "2026-11-22" })
	if held, refused := errors.AsType[*applock.HeldError](err); !refused || held.Holder.PID != 7 {
		t.Errorf("another date: %v", err)
	}
}

func TestARunGoesOnWhereNoAppCanBeLocked(t *testing.T) {
	t.Parallel()
	place := machine(t)
	if err := os.WriteFile(place.Folders[0].Path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	n := newNight(t, nasty(3, 20, 5)).everything()
	warned := ""
	_, err := n.run(func(r *pipeline.Request) {
		r.Apps = place
		r.Listen = func(e event.Event) {
			if notice, ok := e.(event.Notice); ok && notice.Warning {
				warned += notice.Text
			}
		}
	})
	if err != nil || !strings.Contains(warned, place.Folders[0].Path+" is no folder") {
		t.Errorf("warned %q, %v", warned, err)
	}
}

// TestARemovedLockFileStopsTheRun has somebody clear away the state folder's lock under a run at work.
func TestARemovedLockFileStopsTheRun(t *testing.T) {
	t.Parallel()
	n := slow(t, simulated.New(unlimited(simulated.Options{Seed: 8, Users: 400, Groups: 3})))
	n.inBubble(func() {
		began := time.Now()
		time.AfterFunc(10*time.Second, func() { os.Remove(filepath.Join(n.state, "lock")) })
		_, err := n.virtually(disktest.New(n.t, disktest.Options{}), nil)
		if held, lost := errors.AsType[*state.HeldError](err); !lost || !held.Lost {
			t.Fatalf("got %v", err)
		}
		if took := time.Since(began); took > 20*time.Second {
			t.Errorf("it stopped after %v", took)
		}
		if result, err := n.virtually(disktest.New(n.t, disktest.Options{}), nil); err != nil || result.Code != pipeline.CodeComplete {
			t.Errorf("run again: %v", err)
		}
	})
}
