package simulated

import (
	"compress/gzip"
	"context"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// maxRequest is the largest request body that either vendor reads here.
const maxRequest = 1 << 20

func (q *query) readBody() bool {
	if n := q.http.ContentLength; n > 0 && n <= maxRequest {
		q.body = make([]byte, n)
		_, err := io.ReadFull(q.http.Body, q.body)
		return err == nil
	}
	var err error
	q.body, err = io.ReadAll(io.LimitReader(q.http.Body, maxRequest+1))
	return err == nil
}

func (q *query) send(rw http.ResponseWriter, a answer) {
	h := rw.Header()
	if a.mediaType == "" {
		a.mediaType = "application/json; charset=utf-8"
	}
	h["Content-Type"] = []string{a.mediaType}
	if q.options.NoJSONType {
		h["Content-Type"] = nil // net/http then sends none
	}
	if a.retryAfter != "" {
		h.Set("Retry-After", a.retryAfter)
	}
	if q.options.Gzip && strings.Contains(q.http.Header.Get("Accept-Encoding"), "gzip") {
		h.Set("Content-Encoding", "gzip")
		rw.WriteHeader(a.status)
		z := gzip.NewWriter(rw)
		_, _ = z.Write(a.body)
		_ = z.Close()
		return
	}
	h["Content-Length"] = []string{strconv.Itoa(len(a.body))}
	rw.WriteHeader(a.status)
	_, _ = rw.Write(a.body) // a client that went away is its own affair
}

// latency waits as long as the vendor's network would; false when the client went away.
func (w *World) latency(ctx context.Context) bool {
	d := w.options.MinLatency
	if spread := w.options.MaxLatency - d; spread > 0 {
		d += time.Duration(w.dice.next() % uint64(spread))
	}
	return pause(ctx, d)
}

func pause(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// dice is a small seeded generator (splitmix64).
type dice struct {
	mu    sync.Mutex
	state uint64
}

func (d *dice) next() uint64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.state++
	return mix(d.state)
}

// mix turns any number into one that looks random (the finalizer of splitmix64).
func mix(x uint64) uint64 {
	x *= 0x9e3779b97f4a7c15
	x ^= x >> 30
	x *= 0xbf58476d1ce4e5b9
	x ^= x >> 27
	x *= 0x94d049bb133111eb
	return x ^ x>>31
}

// hashText is FNV-1a, mixed.
func hashText(parts ...string) uint64 {
	h := uint64(14695981039346656037)
	for _, p := range parts {
		for i := range len(p) {
			h = (h ^ uint64(p[i])) * 1099511628211
		}
		h = (h ^ 0xff) * 1099511628211
	}
	return mix(h)
}
