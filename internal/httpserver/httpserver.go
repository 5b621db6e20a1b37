// Package httpserver serves a handler to whoever comes, and bears that they come in
// crowds and send slowly: connections, requests and the time in which they have to
// come are bounded, whatever the handler does.
package httpserver

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"
)

// Server is a handler and what is let in to it. A zero limit takes its default.
type Server struct {
	Handler     http.Handler
	Connections int           // at a time, default connections()
	Body        int64         // bytes of a request's body, default 1 MiB; a handler may want less
	Arrival     time.Duration // in which a request has to come, head and body each, default 15 s; an answer takes as long as it takes
}

const (
	defaultArrival = 15 * time.Second
	defaultBody    = 1 << 20
	idleFor        = 2 * time.Minute
	maxHeader      = 64 << 10
	taking         = time.Minute     // of a piece of an answer to be taken
	leaving        = 5 * time.Second // for requests that are being answered when the server stops
)

// Run serves what listener accepts until ctx ends, and then lets running requests end
// for five seconds. It closes listener.
func (s *Server) Run(ctx context.Context, listener net.Listener) error {
	server := s.server()
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		if err := server.Serve(newGate(listener, cmp.Or(s.Connections, connections()))); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serve the pages: %w", err)
		}
		return nil
	})
	group.Go(func() error {
		<-ctx.Done()
		ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaving)
		defer cancel()
		if err := server.Shutdown(ending); err != nil {
			return server.Close()
		}
		return nil
	})
	return group.Wait()
}

type connKey struct{}

func (s *Server) server() *http.Server {
	arrival := cmp.Or(s.Arrival, defaultArrival)
	return &http.Server{Handler: s.bounded(arrival), ReadHeaderTimeout: arrival, IdleTimeout: idleFor, MaxHeaderBytes: maxHeader, ConnState: follow,
		ConnContext: func(ctx context.Context, c net.Conn) context.Context { return context.WithValue(ctx, connKey{}, c) }}
}

// bounded lets a request's body come within the bounds, on every route. A handler that
// reads none of it gets none: net/http passes over the rest within the same time.
func (s *Server) bounded(arrival time.Duration) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, _ := r.Context().Value(connKey{}).(*conn)
		if r.Body == http.NoBody || r.ContentLength == 0 {
			c.come()
			s.Handler.ServeHTTP(w, r)
			return
		}
		control := http.NewResponseController(w)
		if err := control.SetReadDeadline(time.Now().Add(arrival)); err != nil {
			http.Error(w, "This connection cannot be given a time.", http.StatusInternalServerError)
			return
		}
		limited := http.MaxBytesReader(w, r.Body, cmp.Or(s.Body, defaultBody))
		r.Body = &arriving{ReadCloser: limited, done: func() {
			c.come()
			_ = control.SetReadDeadline(time.Time{}) // else the answer would have to be ready by then
		}}
		s.Handler.ServeHTTP(w, r)
	})
}

// come notes that the request has come as a whole.
func (c *conn) come() {
	if c != nil {
		c.is(served)
	}
}

// arriving is a body on its way.
type arriving struct {
	io.ReadCloser
	done func()
}

func (a *arriving) Read(p []byte) (int, error) {
	n, err := a.ReadCloser.Read(p)
	if err == io.EOF && a.done != nil {
		a.done()
		a.done = nil
	}
	return n, err
}
