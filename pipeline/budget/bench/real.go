package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"time"

	"go.uber.org/ratelimit"
	"golang.org/x/time/rate"

	"rollcall/pipeline/budget"
	"rollcall/pipeline/client"
	"rollcall/sources"
)

// realCell lets every contestant work over HTTP at the same time, each against its own server.
func realCell(c cell, length time.Duration) []result {
	results := make([]result, len(contestants))
	var all sync.WaitGroup
	for i := range contestants {
		all.Go(func() {
			results[i] = serve(c, length, func(count *counter, url string) asker { return newAsker(i, c, count, url) })
		})
	}
	all.Wait()
	return results
}

// asker sends one request, when its limiter allows it.
type asker func(ctx context.Context) error

func serve(c cell, length time.Duration, open func(*counter, string) asker) result {
	count := &counter{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		there, back := c.latency.draw(rand.New(rand.NewPCG(rand.Uint64(), 1)))
		time.Sleep(there)
		count.arrive(time.Now())
		time.Sleep(back)
		fmt.Fprint(w, `{"code":200}`)
	}))
	defer server.Close()
	ask := open(count, server.URL)
	start := time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), warmUp+length)
	defer cancel()
	var workers sync.WaitGroup
	for range int(c.limit()*c.latency.to.Seconds()*1.5) + 20 {
		workers.Go(func() {
			for ask(ctx) == nil && ctx.Err() == nil {
			}
		})
	}
	workers.Wait()
	return count.result(start, length, c.limit())
}

func newAsker(contestant int, c cell, count *counter, url string) asker {
	transport := client.NewTransport(nil, nil)
	build := func() (*http.Request, error) {
		return http.NewRequest(http.MethodPost, url, strings.NewReader("userId=u1"))
	}
	switch contestant {
	case 0, 1:
		b := budget.New(budget.Config{
			Limit: budget.Steady(c.limit()), Even: contestant == 1, Timeout: client.DefaultTimeout,
		}, time.Now)
		options := client.Options{Transport: transport, Now: time.Now, Random: rand.Uint64}
		endpoint := client.New(options).Endpoint(client.Name{Source: "bench", Data: "bench"}, b, client.Hosts{})
		return func(ctx context.Context) error {
			var sent time.Time
			return endpoint.Caller().Call(ctx, sources.Exchange{
				Build: func() (*http.Request, error) { sent = time.Now(); return build() },
				Read:  func(sources.Answer) (bool, error) { count.answered(time.Since(sent)); return false, nil },
			})
		}
	case 2:
		limiter := rate.NewLimiter(rate.Limit(c.limit()), 1)
		return plain(transport, build, count, limiter.Wait)
	default:
		limiter := ratelimit.New(int(c.limit()))
		return plain(transport, build, count, func(context.Context) error { limiter.Take(); return nil })
	}
}

// plain sends without a budget of ours.
func plain(transport http.RoundTripper, build func() (*http.Request, error), count *counter,
	wait func(context.Context) error) asker {
	return func(ctx context.Context) error {
		if err := wait(ctx); err != nil {
			return err
		}
		request, err := build()
		if err != nil {
			return err
		}
		sent := time.Now()
		response, err := transport.RoundTrip(request.WithContext(ctx))
		if err != nil {
			return err
		}
		defer response.Body.Close()
		_, err = io.Copy(io.Discard, response.Body)
		count.answered(time.Since(sent))
		return err
	}
}
