package cli

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io/fs"
	"log"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"rollcall/pipeline/event"
	"rollcall/schema"
	"rollcall/sinks/parquet"
	"rollcall/sources/simulated"
)

const nightWithSecrets = `
source "rongcloud" "prod" {
  endpoint   = env("VENDORS")
  app_key    = env("RONG_KEY")
  app_secret = env("RONG_SECRET")
}
source "tencentchat" "intl" {
  endpoint   = env("VENDORS")
  sdk_app_id = 1400000001
  secret_key = env("TENCENT_KEY")
}
ids "rong_users"    { path = "rongcloud/users.txt" }
ids "tencent_users" { path = "tencentchat/users.txt" }
data "rongcloud_user_groups" "all"   { users = ids.rong_users }
data "rongcloud_group_members" "all" { groups = data.rongcloud_user_groups.all.groups }
data "tencentchat_joined_groups" "all" { users = ids.tencent_users }
data "tencentchat_group_roles" "all" { memberships = data.tencentchat_joined_groups.all.memberships }
sink "local" "out" { path = env("SINK", "./snapshots") }
snapshot { tolerate_failed = "100%" }
`

// secretive is a night whose every secret is known to the test: those configured, and those that the
// vendors were sent.
type secretive struct {
	t     *testing.T
	now   func() time.Time // the vendors' clock, too: they refuse what was signed at another time
	world *simulated.World
	dir   string
	env   map[string]string
	said  bytes.Buffer // all that any run printed, and its metrics page

	mu     sync.Mutex
	answer http.HandlerFunc // in the vendors' place; nil: they answer
	sent   map[string]bool
}

func newSecretive(t *testing.T) *secretive {
	begun := time.Now()
	now := func() time.Time { return midnight.Add(time.Since(begun)) }
	options := simulated.Options{Now: now, Seed: 6, Users: 40, Groups: 8, Limits: map[string]int{}}
	for _, path := range simulated.Paths() {
		options.Limits[path] = -1
	}
	s := &secretive{t: t, now: now, world: simulated.New(options), dir: t.TempDir(), sent: map[string]bool{}}
	s.env = map[string]string{"RONG_KEY": simulated.DemoAppKey, "RONG_SECRET": simulated.DemoAppSecret, "TENCENT_KEY": simulated.DemoSecretKey}
	if err := s.world.WriteLists(s.dir); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(s.dir, "rollcall.hcl"), []byte(nightWithSecrets), 0o644); err != nil {
		t.Fatal(err)
	}
	return s
}

// ServeHTTP writes down what proves who asks, and answers.
func (s *secretive) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	for _, secret := range []string{r.Header.Get("Signature"), r.URL.Query().Get("usersig")} {
		if secret != "" {
			s.sent[secret] = true
		}
	}
	answer := s.answer
	s.mu.Unlock()
	if answer != nil {
		answer(w, r)
		return
	}
	s.world.Handler().ServeHTTP(w, r)
}

// run runs the program at its most talkative, plainly or with --json, and gives its exit code. Signals
// may be nil.
func (s *secretive) run(signals chan os.Signal, args ...string) int {
	s.t.Helper()
	var stdout, stderr bytes.Buffer
	env := testEnv(&stdout, &stderr, append([]string{"run", "--config", filepath.Join(s.dir, "rollcall.hcl"), "--progress", "log", "--metrics", "127.0.0.1:0"}, args...)...)
	env.Now, env.Random = s.now, rand.Uint64
	env.LookupEnv = func(name string) (string, bool) { value, set := s.env[name]; return value, set }
	page, address := "", ""
	env.served = func(url string) { address = url }
	env.heard = func(e event.Event) {
		if p, is := e.(event.Progress); is && p.Phase == event.Merging && page == "" {
			page = scrape(s.t, address)
		}
	}
	if signals != nil {
		env.Signals = signals
		env.Stderr = &trigger{Buffer: &stderr, at: "fetching", do: func() { signals <- os.Interrupt }}
	}
	code := Main(s.t.Context(), env)
	s.said.Write(stdout.Bytes())
	s.said.Write(stderr.Bytes())
	s.said.WriteString(page)
	return code
}

// spellings are a secret as it is or cut short, and as a URL, a dump or a header would have it.
func spellings(secret string) []string {
	return []string{secret[:min(len(secret), 40)], url.QueryEscape(secret), hex.EncodeToString([]byte(secret)), base64.StdEncoding.EncodeToString([]byte(secret)), base64.RawURLEncoding.EncodeToString([]byte(secret))}
}

// silent greps everything that was printed and every byte in the folder, but the configuration's own.
func (s *secretive) silent() {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	secrets := map[string]bool{}
	for secret := range s.sent {
		secrets[secret] = true
	}
	for _, name := range []string{"RONG_SECRET", "TENCENT_KEY"} {
		secrets[s.env[name]] = true
	}
	left := map[string][]byte{"what was printed": s.said.Bytes()}
	err := filepath.WalkDir(s.dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		left[path], err = os.ReadFile(path)
		if strings.Contains(path, "/outcomes/") && strings.HasSuffix(path, ".parquet") { // compressed: messages are read
			for row, broken := range parquet.ReadFile[schema.KeyOutcome](path) {
				if broken != nil {
					return broken
				}
				left[path] = fmt.Appendf(left[path], "%+v %v %v\n", *row, row.VendorCode, row.Message)
				if row.Message != nil {
					left[path] = append(left[path], *row.Message...)
				}
			}
		}
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
	for where, content := range left {
		for secret := range secrets {
			for _, spelt := range spellings(secret) {
				if i := bytes.Index(content, []byte(spelt)); i >= 0 {
					s.t.Errorf("a secret stands in %s: …%q…", where, content[max(0, i-80):min(len(content), i+20)])
				}
			}
		}
	}
	if len(s.said.Bytes()) == 0 {
		s.t.Error("nothing was printed: nothing was looked at")
	}
}

// quoting has the vendor below a path repeat in its answer what it was sent.
func quoting(below string, status int, format string) func(*secretive) {
	return func(s *secretive) {
		s.answer = func(w http.ResponseWriter, r *http.Request) {
			if !strings.HasPrefix(r.URL.Path, below) {
				s.world.Handler().ServeHTTP(w, r)
				return
			}
			w.WriteHeader(status)
			fmt.Fprintf(w, format, r.Header.Get("Signature")+" "+r.URL.Query().Get("usersig")+" "+r.URL.RawQuery)
		}
	}
}

// TestNoSecretIsLeftOrPrintedAnywhere has nights go wrong in every way that ends soon, and looks for
// what the program was given and what it sent to prove who it is.
func TestNoSecretIsLeftOrPrintedAnywhere(t *testing.T) {
	t.Parallel()
	type test struct {
		code    int
		prepare func(*secretive)
	}
	tests := map[string]test{
		"a quiet night": {Done, func(*secretive) {}},
		"wrong credentials": {ChangeFirst, func(s *secretive) {
			s.env["RONG_SECRET"], s.env["TENCENT_KEY"] = "not the secret of RongCloud", "not the key of Tencent"
		}},
		"a redirect that quotes the request": {ChangeFirst, func(s *secretive) {
			s.answer = func(w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, "/login?"+r.URL.RawQuery+"&signature="+r.Header.Get("Signature"), http.StatusFound)
			}
		}},
		"RongCloud's refusal of the credentials quotes the request": {ChangeFirst, quoting("/user/", http.StatusUnauthorized, `{"code":1004,"errorMessage":%q}`)},
		"Tencent's refusal of the credentials quotes the request":   {ChangeFirst, quoting("/v4/", http.StatusOK, `{"ActionStatus":"FAIL","ErrorCode":70003,"ErrorInfo":%q}`)},
		"RongCloud's refusal of each key quotes the request":        {Partial, quoting("/user/", http.StatusBadRequest, `{"code":1002,"errorMessage":%q}`)},
		"Tencent's refusal of each key quotes the request":          {Partial, quoting("/v4/", http.StatusOK, `{"ActionStatus":"FAIL","ErrorCode":10004,"ErrorInfo":%q}`)},
		"a sink that can't be written": {ChangeFirst, func(s *secretive) {
			s.env["SINK"] = filepath.Join(s.dir, "rollcall.hcl", "snapshots")
		}},
	}
	for _, dish := range simulated.Menu() {
		switch dish.Name {
		case "dns", "tls", "silent", "stall", "refused": // played by no server, or waited for; see the tests on virtual time
			continue
		}
		tests["fault "+dish.Name] = test{-1, func(s *secretive) { s.world.Fault(dish.Order(0.1)...) }}
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSecretive(t)
			server := httptest.NewServer(s)
			defer server.Close()
			s.env["VENDORS"] = server.URL
			test.prepare(s)
			for _, format := range [][]string{nil, {"--json"}} {
				if code := s.run(nil, format...); test.code >= 0 && code != test.code {
					t.Errorf("it ended with %d, want %d: %s", code, test.code, s.said.String())
				}
			}
			s.silent()
		})
	}
}

func TestNoSecretIsLeftByAStoppedRunOrOverTLS(t *testing.T) {
	t.Parallel()
	s := newSecretive(t)
	server := httptest.NewServer(s)
	defer server.Close()
	s.env["VENDORS"] = server.URL
	if code := s.run(make(chan os.Signal, 1)); code != Stopped {
		t.Fatalf("the stopped run ended with %d: %s", code, s.said.String())
	}
	s.silent()
	if code := s.run(nil); code != Done {
		t.Errorf("the run that went on ended with %d: %s", code, s.said.String())
	}
	s.silent()

	s = newSecretive(t)
	secure := httptest.NewUnstartedServer(s)
	secure.Config.ErrorLog = log.New(&bytes.Buffer{}, "", 0) // it complains of the refusal
	secure.StartTLS()
	defer secure.Close()
	s.env["VENDORS"] = secure.URL
	if code := s.run(nil); code != ChangeFirst || !strings.Contains(s.said.String(), "certificate") {
		t.Errorf("an untrusted certificate ended with %d: %s", code, s.said.String())
	}
	s.silent()
}
