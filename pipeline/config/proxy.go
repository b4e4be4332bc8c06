package config

import (
	"net"
	"net/url"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"rollcall/schema/spelling"
)

// checkProxies tells of variables that name no proxy, where vendors are to be asked: HTTP libraries ignore
// such a value and go round the proxy. The value, which may hold a password, is not shown. No proxy is asked
// for a host of this machine.
func (l *loader) checkProxies() {
	if !l.options.Secrets || !l.asksElsewhere() {
		return
	}
	for _, names := range [][]string{{"HTTPS_PROXY", "https_proxy"}, {"HTTP_PROXY", "http_proxy"}} {
		for _, name := range names {
			value, _ := l.options.Env(name)
			if value == "" {
				continue
			}
			if !isProxy(value) {
				l.diags = append(l.diags, &hcl.Diagnostic{
					Severity: hcl.DiagError,
					Summary:  "The environment variable " + name + " is no address of a proxy",
					Detail:   "Set it to http://HOST:PORT, or with https:// or socks5:// before the host, or unset it. As it is, vendors would be asked without a proxy.",
				})
			}
			break // the other spelling is not looked at
		}
	}
}

// asksElsewhere tells whether a source is not known to be on this machine.
func (l *loader) asksElsewhere() bool {
	for _, s := range l.sources {
		u, err := url.Parse(s.Config.Account().Endpoint)
		if err != nil {
			return true
		}
		if ip := net.ParseIP(u.Hostname()); u.Hostname() != "localhost" && (ip == nil || !ip.IsLoopback()) {
			return true
		}
	}
	return false
}

// isProxy tells whether a value is an address of a proxy; without a scheme it is one of http.
func isProxy(value string) bool {
	if !strings.Contains(value, "://") {
		value = "http://" + value
	}
	u, err := url.Parse(value)
	return err == nil && u.Hostname() != "" && spelling.Invisible(value) == "" &&
		slices.Contains([]string{"http", "https", "socks5", "socks5h"}, u.Scheme)
}
