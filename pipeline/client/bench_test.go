package client_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"rollcall/pipeline/client"
	"rollcall/sources"
)

// BenchmarkCall is how fast 32 callers are answered where the budget is no bound. Answers that name no
// question need connections to end; those over HTTP/2 don't.
func BenchmarkCall(b *testing.B) {
	for _, over := range []string{"http", "https", "http2"} {
		for _, names := range []bool{true, false} {
			b.Run(fmt.Sprintf("%s/echo=%v", over, names), func(b *testing.B) {
				server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "{}") }))
				server.EnableHTTP2 = over == "http2"
				if over == "http" {
					server.Start()
				} else {
					server.StartTLS()
				}
				defer server.Close()
				transport := client.NewTransport(nil, server.Client().Transport.(*http.Transport).TLSClientConfig)
				defer transport.Close()
				e := endpoint(transport, 1e9, nil)
				var asked atomic.Int64
				b.SetParallelism(16)
				b.ResetTimer()
				b.RunParallel(func(pb *testing.PB) {
					for pb.Next() {
						x := plain(postTo(server.URL), read)
						x.Echo = fmt.Sprint(asked.Add(1))
						x.Read = func(sources.Answer) (bool, error) { return names, nil }
						if err := e.Caller().Call(b.Context(), x); err != nil {
							b.Error(err)
							return
						}
					}
				})
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "requests/s")
			})
		}
	}
}
