package metrics

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"

	"rollcall/schema/fault"
)

// lastScrape is how long a scrape that is under way may hold up [Server.Close].
const lastScrape = time.Second

// Server shows metrics over HTTP until it is closed.
type Server struct {
	URL string // where to scrape: "http://127.0.0.1:17655/metrics"

	http  http.Server
	ended chan error
}

// Serve listens on an address, such as "127.0.0.1:17655" or ":17655"; port 0 takes any free one. What is no
// address is a Configuration fault; an address that can't be listened on now, since another program does, is
// a Transient one.
func Serve(address string, m *Metrics) (*Server, error) {
	handler, err := m.Handler()
	if err != nil {
		return nil, err
	}
	if err := checkAddress(address); err != nil {
		return nil, refused(fault.Configuration, address, err)
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, refused(fault.Transient, address, err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", handler)
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { // for who types the address alone
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = io.WriteString(w, "<!DOCTYPE html><title>Rollcall</title><a href=\"/metrics\">/metrics</a>\n") // who asked may be gone
	})
	s := &Server{
		URL: "http://" + listener.Addr().String() + "/metrics",
		http: http.Server{
			Handler: mux, ReadHeaderTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute,
			ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError), // who is scraped has no stderr of its own
		},
		ended: make(chan error, 1),
	}
	go func() { s.ended <- s.http.Serve(listener) }()
	return s, nil
}

func checkAddress(address string) error {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return err
	}
	_, err = net.LookupPort("tcp", port)
	return err
}

func refused(kind fault.Kind, address string, err error) error {
	return &fault.Error{
		Kind: kind, Message: "metrics can't be served at " + address, Err: err,
		Hint: "give a free address of this machine, such as 127.0.0.1:17655; port 0 takes any free port",
	}
}

// Close stops listening, lets scrapes under way end within a second, and returns when nothing
// runs any more. The error is what ended the server before, if anything did.
func (s *Server) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), lastScrape)
	defer cancel()
	err := s.http.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		err = s.http.Close()
	}
	if served := <-s.ended; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}
