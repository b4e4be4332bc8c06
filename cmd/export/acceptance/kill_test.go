package acceptance

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"rollcall/sinks/manifest"
	"rollcall/sources/simulated"
)

// long is set where a test may take minutes: it then tries everything and not a sample.
func long() bool { return os.Getenv("ROLLCALL_CHAOS") != "" }

// safe tells how many requests the keys took whose answers lie in a killed run's spool. It looks at
// a copy.
func (s *site) safe() (requests int) {
	s.t.Helper()
	at := filepath.Join(s.dir, ".rollcall", date, "spool")
	if _, err := os.Stat(at); err != nil {
		return 0
	}
	copied := filepath.Join(s.t.TempDir(), "spool")
	if err := os.CopyFS(copied, os.DirFS(at)); err != nil {
		s.t.Fatal(err)
	}
	return s.answered(copied)
}

// goesOn runs the site to its seal and demands the bytes of a quiet night of so many requests, for
// whose keys nothing was asked that was safe.
func (s *site) goesOn(root string, want map[string]string, total int) {
	s.t.Helper()
	safe, before := s.safe(), s.requests()
	_, unsealed := os.Stat(filepath.Join(root, manifest.Path(date)))
	if unsealed == nil {
		safe = total
	}
	s.run(0, "run", "--date", date)
	if asked := s.requests() - before; asked != total-safe {
		s.t.Errorf("the last run asked %d requests, and %d of %d were answered and safe", asked, safe, total)
	}
	s.asQuiet(root, want)
	if _, err := os.Stat(filepath.Join(s.dir, ".rollcall", date)); err == nil {
		s.t.Error("the sealed night is still in the state folder")
	}
}

func TestARunKilledManyTimesAsksNothingAgainThatWasSafe(t *testing.T) {
	t.Parallel()
	const seed = 11
	random := rand.New(rand.NewPCG(seed, seed))
	whole := newSite(t, small(), localSink)
	whole.run(0, "run", "--date", date)
	total := whole.requests()
	want := sums(readManifest(t, filepath.Join(whole.dir, "snapshots")))

	rounds, kills, repeated := 1, 0, 0
	if long() {
		rounds = 8
	}
	for range rounds {
		s := newSite(t, small(), localSink)
		for range 4 {
			if s.runUntil(1+random.IntN(total/3), random.IntN(2) == 0, syscall.SIGKILL, "run", "--date", date) == -1 {
				kills++
			}
		}
		s.goesOn(filepath.Join(s.dir, "snapshots"), want, total)
		repeated += s.requests() - total
	}
	t.Logf("| the program gets kill -9 at a random moment | %d | %d sealed to the same bytes | 0 | 0 | 0 | %d |", kills, rounds, repeated)
}

// killer stands between the program and its bucket, and kills the program at one request: before
// the bucket has seen it, or once the bucket has carried it out.
type killer struct {
	*httptest.Server
	at    int
	after bool

	mu       sync.Mutex
	requests int
	process  *os.Process
}

func newKiller(t *testing.T, server *Server, at int, after bool) *killer {
	t.Helper()
	forward := proxy(t, server.Endpoint)
	k := &killer{at: at, after: after}
	k.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		k.mu.Lock()
		k.requests++
		mine := k.requests == k.at
		process := k.process
		k.mu.Unlock()
		if !mine {
			forward.ServeHTTP(w, r)
			return
		}
		if k.after {
			forward.ServeHTTP(httptest.NewRecorder(), r)
		}
		_ = process.Kill()
		panic(http.ErrAbortHandler)
	}))
	t.Cleanup(k.Close)
	return k
}

// killed runs the site's program until the killer has killed it; it tells whether it has.
func (s *site) killed(k *killer) bool {
	s.t.Helper()
	command := Command(s.t, s.dir, s.env, "run", "--date", date)
	k.mu.Lock()
	err := command.Start()
	k.process = command.Process
	k.mu.Unlock()
	if err != nil {
		s.t.Fatal(err)
	}
	_ = command.Wait()
	return command.ProcessState.ExitCode() == -1
}

// few is a night of seconds.
func few() simulated.Options {
	o := small()
	o.Users, o.Groups, o.Nasty, o.MinLatency, o.MaxLatency = 30, 8, false, 0, time.Millisecond
	return o
}

func TestARunKilledAtAnyRequestToItsBucketGoesOnToTheSameBytes(t *testing.T) {
	t.Parallel()
	server := S3(t)
	quiet := newKiller(t, server, 0, false)
	inFolder := func(k *killer, folder string) string {
		through := *server
		through.Endpoint = k.URL
		return strings.Replace(s3Sink(&through), `"im"`, fmt.Sprintf("%q", folder), 1)
	}
	whole := newSite(t, few(), inFolder(quiet, "whole"), server.Env()...)
	whole.run(0, "run", "--date", date)
	total, want := whole.requests(), sums(readManifest(t, filepath.Join(server.Folder, "whole")))

	stride := 11
	if long() {
		stride = 1
	}
	var mu sync.Mutex
	kills, repeated := 0, 0
	t.Cleanup(func() {
		t.Logf("| the program is killed at a request to its bucket (of %d), before or after the bucket has carried it out | %d | %d sealed to the same bytes | 0 | 0 | 0 | %d |", quiet.requests, kills, kills, repeated)
	})
	for at := 1; at <= quiet.requests; at += stride {
		for _, after := range []bool{false, true} {
			at := at
			if after {
				at += stride / 2
			}
			t.Run(fmt.Sprintf("at %d, after it was carried out: %v", at, after), func(t *testing.T) {
				t.Parallel()
				k := newKiller(t, server, at, after)
				folder := fmt.Sprintf("at-%d-%v", at, after)
				s := newSite(t, few(), inFolder(k, folder), server.Env()...)
				if !s.killed(k) && at <= quiet.requests-3 { // a heartbeat more or less
					t.Fatalf("the run ended by itself after %d requests", k.requests)
				}
				s.goesOn(filepath.Join(server.Folder, folder), want, total)
				server.only(t, folder)
				mu.Lock()
				defer mu.Unlock()
				kills++
				repeated += s.requests() - total
			})
		}
	}
}

// only demands that a folder of the bucket holds its manifest, what that names, and nothing else.
func (s *Server) only(t *testing.T, folder string) {
	t.Helper()
	want := []string{folder + "/" + manifest.Path(date)}
	for _, f := range readManifest(t, filepath.Join(s.Folder, folder)).Files {
		want = append(want, folder+"/"+f.Path)
	}
	slices.Sort(want)
	inside := func(keys []string) []string {
		return slices.DeleteFunc(keys, func(key string) bool { return !strings.HasPrefix(key, folder+"/") })
	}
	if got := inside(s.Objects(t)); !slices.Equal(got, want) {
		t.Errorf("objects %v, want %v", got, want)
	}
	if open := inside(s.Uploads(t)); len(open) > 0 {
		t.Errorf("open uploads: %v", open)
	}
}
