package cli

import (
	"net/http"
	"net/url"

	"golang.org/x/net/http/httpproxy"
)

// proxy tells through which proxy a vendor is asked, by the variables that most programs know: HTTPS_PROXY,
// HTTP_PROXY and NO_PROXY, in either case. Buckets are asked by the AWS SDK, which reads the same ones.
func (a *app) proxy() func(*http.Request) (*url.URL, error) {
	first := func(names ...string) string {
		for _, name := range names {
			if value, ok := a.env.LookupEnv(name); ok && value != "" {
				return value
			}
		}
		return ""
	}
	config := httpproxy.Config{
		HTTPProxy:  first("HTTP_PROXY", "http_proxy"),
		HTTPSProxy: first("HTTPS_PROXY", "https_proxy"),
		NoProxy:    first("NO_PROXY", "no_proxy"),
		CGI:        first("REQUEST_METHOD") != "", // then HTTP_PROXY is what a stranger's header says
	}
	choose := config.ProxyFunc()
	return func(request *http.Request) (*url.URL, error) { return choose(request.URL) }
}
