package cli

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

// TestVendorsAreAskedThroughTheProxyOfTheEnvironment: their name is known to the proxy alone.
func TestVendorsAreAskedThroughTheProxyOfTheEnvironment(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"HTTP_PROXY", "http_proxy"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSecretive(t)
			config := filepath.Join(s.dir, "rollcall.hcl")
			text := strings.ReplaceAll(nightWithSecrets, `env("VENDORS")`, "env(\"VENDORS\")\n  allow_http = true")
			if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
			var asked, known atomic.Int64
			proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				asked.Add(1)
				if r.URL.Host != "vendors.invalid" || r.Header.Get("Proxy-Authorization") == "" {
					t.Errorf("the proxy was asked for %s", r.URL)
				}
				if known.Load() == 0 {
					w.WriteHeader(http.StatusProxyAuthRequired)
					return
				}
				s.ServeHTTP(w, r)
			}))
			defer proxy.Close()
			s.env["VENDORS"] = "http://vendors.invalid"
			s.env[name] = "http://robot:pa55-of-the-proxy@" + strings.TrimPrefix(proxy.URL, "http://")
			if code := s.run(nil); code != ChangeFirst || !strings.Contains(s.said.String(), "407 Proxy Authentication Required") {
				t.Errorf("refused by the proxy, it ended with %d: %s", code, &s.said)
			}
			known.Store(1)
			if code := s.run(nil); code != Done || asked.Load() < 50 {
				t.Errorf("ended with %d after %d requests: %s", code, asked.Load(), &s.said)
			}
			if strings.Contains(s.said.String(), "pa55") {
				t.Errorf("the proxy's password is told: %s", &s.said)
			}
		})
	}
}

func TestTheVariablesForProxiesAreThoseOfOtherPrograms(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		env       map[string]string
		url, want string
	}{
		"https":             {map[string]string{"HTTPS_PROXY": "http://a:1", "HTTP_PROXY": "http://b:2"}, "https://vendor.example/x", "http://a:1"},
		"http":              {map[string]string{"HTTPS_PROXY": "http://a:1", "HTTP_PROXY": "b:2"}, "http://vendor.example/x", "http://b:2"},
		"in small letters":  {map[string]string{"https_proxy": "socks5://a:1"}, "https://vendor.example/x", "socks5://a:1"},
		"excepted":          {map[string]string{"HTTPS_PROXY": "http://a:1", "NO_PROXY": "other.example,.vendor.example"}, "https://api.vendor.example/x", ""},
		"excepted, small":   {map[string]string{"HTTPS_PROXY": "http://a:1", "no_proxy": "*"}, "https://vendor.example/x", ""},
		"this machine":      {map[string]string{"HTTP_PROXY": "http://a:1"}, "http://127.0.0.1:8080/x", ""},
		"none":              {nil, "https://vendor.example/x", ""},
		"under a webserver": {map[string]string{"HTTP_PROXY": "http://a:1", "REQUEST_METHOD": "GET"}, "https://vendor.example/x", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := &app{env: Env{LookupEnv: func(name string) (string, bool) { value, set := test.env[name]; return value, set }}}
			request, err := http.NewRequest(http.MethodPost, test.url, nil)
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			if u, err := a.proxy()(request); err != nil {
				t.Error(err)
			} else if u != nil {
				got = u.String()
			}
			if got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}
