// Package web is the pages that people look at: the gallery, the story of one
// task and the desk for failed ones, rendered on the server. It decides nothing
// about tasks and knows no users: who may come at all is for whoever mounts it.
package web

import (
	"context"
	"net/http"
	"time"

	"github.com/rs/zerolog"

	"github.com/easelqueue/easel/picture"
	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
)

// tasks is what the pages read.
type tasks interface {
	Get(ctx context.Context, id int64) (*task.Task, error)
	List(ctx context.Context, f store.Filter) ([]task.Task, error)
	Tally(ctx context.Context, f store.Filter) ([]store.Tally, error)
	Attempts(ctx context.Context, id int64) ([]task.Attempt, error)
	Results(ctx context.Context, id int64) ([]task.Result, error)
	ResultsOf(ctx context.Context, ids []int64) (map[int64][]task.Result, error)
}

// desk is what a person can do from the pages.
type actions interface {
	Retry(ctx context.Context, ref task.Ref, notCharged bool) (*task.Task, error)
	RetryAll(ctx context.Context, f store.Filter, notCharged bool, each func(*task.Task)) (int, error)
	BuyAgain(ctx context.Context, ref task.Ref) (*task.Task, error)
	GiveUp(ctx context.Context, ref task.Ref) (*task.Task, error)
	Cancel(ctx context.Context, id int64) (*task.Task, error)
}

// Site is the pages and what they stand on. It is mounted at the root of its host.
type Site struct {
	Tasks     tasks
	Actions   actions
	Pictures  picture.Store // served under /pictures/
	Lend      time.Duration // if not zero, /pictures/ leads to the store itself, a picture.Lender, by addresses that live so long
	Waits     waits         // why tasks wait; nil leaves it to what the rows say
	Queues    http.Handler  // asynqmon with the root path /queues; nil leaves it out
	Callbacks http.Handler  // what providers call back, below /callbacks/ and /hooks/; nil leaves it out
	Ready     func() error  // what /readyz answers; nil is always ready
	Log       zerolog.Logger
	ReadOnly  bool // nobody can retry or cancel

	// Undecided reports whether a task's last call waits for a person's word because
	// nobody can be asked about it, and the provider's page to look it up on, if known.
	// Nil says that somebody can always be asked.
	Undecided func([]task.Attempt) (bool, string)
	// Asks reports whether the provider can be asked about calls; nil says that every one can.
	Asks func(provider string) bool

	// Hosts are the names by which the site may be called, without ports; empty
	// accepts all. A site that listens on loopback sets LoopbackHosts: otherwise
	// any web page whose name its owner points at 127.0.0.1 can read the site.
	Hosts []string

	all, pending count // of the tasks, for pages that look again by themselves
}

// LoopbackHosts returns the names that only this machine answers to.
func LoopbackHosts() []string { return []string{"127.0.0.1", "localhost", "[::1]"} }

// Handler returns the whole site. Requests that change something are refused if
// they come from another site's page.
func (s *Site) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /{$}", s.page(s.gallery))
	mux.Handle("GET /tasks/{id}", s.page(s.story))
	mux.Handle("GET /failed", s.page(s.failed))
	mux.Handle("GET /operations", s.page(s.operations))
	mux.Handle("GET /operations.json", s.page(s.operationsJSON))
	mux.Handle("POST /tasks/{id}/retry", s.change(s.retry))
	mux.Handle("POST /tasks/{id}/give-up", s.change(s.giveUp))
	mux.Handle("POST /tasks/{id}/cancel", s.change(s.cancel))
	mux.Handle("POST /failed/retry", s.change(s.retryKind))
	mux.Handle("/pictures/", http.StripPrefix("/pictures", picture.Handler{Store: s.Pictures, Lend: s.Lend, OnError: s.logged}))
	mux.Handle("GET /assets/{name}", s.page(asset))
	mux.HandleFunc("GET /healthz", healthy)
	mux.HandleFunc("GET /readyz", s.ready)
	if s.Queues != nil {
		mux.Handle("/queues", s.Queues)
		mux.Handle("/queues/", s.Queues)
	}
	if s.Callbacks != nil {
		mux.Handle("/callbacks/", s.Callbacks)
		mux.Handle("/hooks/", s.Callbacks) // where calls of the release before are answered
	}
	mux.Handle("/", s.page(func(*http.Request) (answer, error) { return nil, errNoPage }))
	return s.guard(mux)
}

func healthy(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Write([]byte("ok\n"))
}

// ready says 503, with the reason, while the process cannot do its work.
func (s *Site) ready(w http.ResponseWriter, r *http.Request) {
	if s.Ready == nil {
		healthy(w, r)
		return
	}
	if err := s.Ready(); err != nil {
		w.Header().Set("Cache-Control", "no-store")
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	healthy(w, r)
}

func (s *Site) logged(r *http.Request, err error) {
	if r.Context().Err() != nil {
		return // the reader has gone, which is no fault
	}
	s.Log.Error().Err(err).Str("method", r.Method).Str("path", r.URL.Path).Msg("page not served")
}
