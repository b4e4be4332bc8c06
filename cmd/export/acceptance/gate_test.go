package acceptance

import (
	"bytes"
	"io"
	"net/http"
	"sync"
)

// gate stands before a vendor and can be shut: requests that come then wait until it is opened or
// they are given up.
type gate struct {
	mu     sync.Mutex
	passes int           // left until it shuts; counted only where opened is there
	opened chan struct{} // closed by opening; nil while the gate is open
	held   chan struct{} // closed by the first request that has to wait
}

// shutAfter lets so many requests pass and holds what comes then. The channel is closed when one is held.
func (g *gate) shutAfter(passes int) <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.passes, g.opened, g.held = passes, make(chan struct{}), make(chan struct{})
	return g.held
}

// open lets everything pass.
func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.opened != nil {
		close(g.opened)
		g.opened = nil
	}
}

// arrive gives what the request has to wait for, nil where it may pass.
func (g *gate) arrive() <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.opened == nil {
		return nil
	}
	if g.passes--; g.passes >= 0 {
		return nil
	}
	if g.passes == -1 {
		close(g.held)
	}
	return g.opened
}

func (g *gate) before(vendor http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body) // only then does the server notice that nobody waits for an answer
		if err != nil {
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		if opened := g.arrive(); opened != nil {
			select {
			case <-r.Context().Done():
				return
			case <-opened:
			}
		}
		vendor.ServeHTTP(w, r)
	})
}
