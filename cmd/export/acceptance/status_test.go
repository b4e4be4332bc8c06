package acceptance

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"rollcall/sources/simulated"
)

// patience bounds what is waited for; it is no claim about how long anything takes.
const patience = 2 * time.Minute

// statusOf is what status --json says.
type statusOf struct {
	State    string `json:"state"`
	Date     string `json:"date"`
	Killed   bool   `json:"killed"`
	Next     string `json:"next"`
	Progress *struct {
		Requests int64 `json:"requests"`
		Data     []struct {
			Done, Pending, Known, Requests int64
		} `json:"data"`
	} `json:"progress"`
}

func (s *site) status() (st statusOf) {
	s.t.Helper()
	stdout, _ := s.run(0, "status", "--json")
	if err := json.Unmarshal([]byte(stdout), &st); err != nil {
		s.t.Fatalf("%v: %s", err, stdout)
	}
	if st.Progress == nil {
		return st
	}
	sum := int64(0) // figures are of one moment, whenever one looks
	for _, d := range st.Progress.Data {
		sum += d.Requests
		if d.Done+d.Pending > d.Known || d.Pending < 0 {
			s.t.Errorf("status says %s", stdout)
		}
	}
	if sum != st.Progress.Requests {
		s.t.Errorf("data blocks have %d requests together: %s", sum, stdout)
	}
	return st
}

// until waits for what another process does.
func (s *site) until(what string, holds func() bool) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	for !holds() {
		select {
		case <-ctx.Done():
			s.t.Fatalf("it never came to pass that %s", what)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// background starts the program.
func (s *site) background(args ...string) (command *exec.Cmd, talk *bytes.Buffer) {
	s.t.Helper()
	command, talk = Command(s.t, s.dir, s.env, args...), &bytes.Buffer{}
	command.Stderr = talk
	if err := command.Start(); err != nil {
		s.t.Fatal(err)
	}
	return command, talk
}

// pace rewrites all budgets of the configuration.
func (s *site) pace(from, to string) {
	s.t.Helper()
	text, err := os.ReadFile(filepath.Join(s.dir, "rollcall.hcl"))
	if err != nil {
		s.t.Fatal(err)
	}
	s.write("rollcall.hcl", strings.ReplaceAll(string(text), "per_second = "+from, "per_second = "+to))
}

func TestStatusTellsOfARunAtWorkAndOfAKilledOne(t *testing.T) {
	t.Parallel()
	s := newSite(t, small(), localSink)
	if st := s.status(); st.State != "none" {
		t.Errorf("before any run: %+v", st)
	}
	s.pace("2000", "4") // slow enough to be looked at
	run, _ := s.background("run", "--date", date)
	s.until("status shows a run at work with answers", func() bool {
		st := s.status()
		done := int64(0)
		if st.Progress != nil {
			for _, d := range st.Progress.Data {
				done += d.Done
			}
		}
		return st.State == "running" && st.Date == date && done > 0 && st.Progress.Requests > 0
	})
	_, stderr := s.run(6, "run", "--date", date)
	if !strings.Contains(stderr, "another run is at work in the state folder .rollcall: process ") || !strings.Contains(stderr, "(rollcall run), since ") {
		t.Errorf("a second run is told %q", stderr)
	}
	_, stderr = s.run(6, "run", "--date", date, "--state", "elsewhere")
	if !strings.Contains(stderr, "another run on this machine asks the app of source.") || !strings.Contains(stderr, ", at work for "+date+" since ") {
		t.Errorf("a run with another state folder is told %q", stderr)
	}
	if err := run.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = run.Wait()
	killed := s.status()
	if killed.State != "stopped" || !killed.Killed || killed.Progress == nil || !strings.Contains(killed.Next, "goes on with") {
		t.Errorf("after a kill: %+v", killed)
	}
	if text, _ := s.run(0, "status"); !strings.Contains(text, "Snapshot "+date+": killed; last heard of ") || strings.Contains(text, simulated.DemoAppSecret) {
		t.Errorf("after a kill it says:\n%s", text)
	}
	s.pace("4", "2000") // budgets may change while a night is unsealed
	s.run(0, "run", "--date", date)
	if st := s.status(); st.State != "none" {
		t.Errorf("after the seal: %+v", st)
	}
	s.env = nil // nobody needs a secret for what is sealed
	if stdout, _ := s.run(0, "run", "--date", date); !strings.Contains(stdout, "was sealed before") {
		t.Errorf("without secrets a sealed date is told as %q", stdout)
	}
}

func TestAVendorThatFallsSilentDoesNotHoldUpAStop(t *testing.T) {
	t.Parallel()
	s := newSite(t, small(), localSink)
	s.world.Fault(simulated.Fault{Do: simulated.Silence()})
	run, talk := s.background("run", "--date", date)
	s.until("requests hang", func() bool { return s.requests() > 0 })
	stop(t, run, talk)
	s.world.Heal()
	s.run(0, "run", "--date", date)
}

// stop sends SIGTERM and demands that the program ends with 5.
func stop(t *testing.T, run *exec.Cmd, talk *bytes.Buffer) {
	t.Helper()
	if err := run.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	told := time.Now()
	_ = run.Wait()
	t.Logf("it ended %v after the signal: %s", time.Since(told).Round(time.Millisecond), lastLine(talk.String()))
	if code := run.ProcessState.ExitCode(); code != 5 {
		t.Errorf("exit code %d:\n%s", code, talk.String())
	}
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}

// stalling is in front of an S3 server, and keeps what it is told to keep without an answer.
type stalling struct {
	server  *httptest.Server
	hold    atomic.Pointer[func(*http.Request) bool]
	reached chan struct{}
	once    sync.Once
	release chan struct{}
}

func stall(t *testing.T, endpoint string) *stalling {
	t.Helper()
	s := &stalling{reached: make(chan struct{}), release: make(chan struct{})}
	forward := proxy(t, endpoint)
	s.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if hold := s.hold.Load(); hold != nil && (*hold)(r) {
			s.once.Do(func() { close(s.reached) })
			select {
			case <-s.release:
			case <-r.Context().Done():
			}
			return
		}
		forward.ServeHTTP(w, r)
	}))
	t.Cleanup(func() {
		close(s.release)
		s.server.Close()
	})
	return s
}

func TestABucketThatFallsSilentDoesNotHoldUpAStop(t *testing.T) {
	t.Parallel()
	for what, forGood := range map[string]bool{"in the middle of an upload": false, "for good": true} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			server := S3(t)
			front := stall(t, server.Endpoint)
			s := newSite(t, small(), strings.ReplaceAll(s3Sink(server), server.Endpoint, front.server.URL), server.Env()...)
			silent := atomic.Bool{}
			hold := func(r *http.Request) bool {
				part := r.Method == http.MethodPut && r.URL.Query().Has("partNumber")
				if forGood && part {
					silent.Store(true) // from the first part on, nothing is answered any more
				}
				return part || silent.Load()
			}
			front.hold.Store(&hold)
			run, talk := s.background("run", "--date", date)
			select {
			case <-front.reached:
			case <-time.After(patience):
				t.Fatal("nothing was uploaded")
			}
			stop(t, run, talk)
			front.hold.Store(nil)
			before := s.requests()
			s.run(0, "run", "--date", date)
			if asked := s.requests() - before; asked != 0 {
				t.Errorf("%d requests were sent again", asked)
			}
			if uploads := server.Uploads(t); len(uploads) > 0 {
				t.Errorf("uploads are left: %v", uploads)
			}
		})
	}
}
