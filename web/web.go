// Package web is the pages that people look at: the gallery, the story of one
// task, the failed ones and operations, rendered on the server. It decides nothing
// about tasks and knows no users: who may come at all is for whoever mounts it.
package web

import (
	"context"
	"net/http"

	"github.com/rs/zerolog"

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
	ForPerson(ctx context.Context, f func(ctx context.Context) error) error
}

// actions are what a person can do from the pages.
type actions interface {
	Retry(ctx context.Context, seen task.Seen, notCharged bool) (*task.Task, error)
	Retryable(ctx context.Context, f store.Filter) (looked []task.Seen, givenUp int, err error)
	RetryEach(ctx context.Context, looked []task.Seen, notCharged bool, each func(*task.Task)) (int, error)
	BuyAgain(ctx context.Context, seen task.Seen, taken ...task.SeenCall) (*task.Task, error)
	GiveUp(ctx context.Context, seen task.Seen) (*task.Task, error)
	Cancel(ctx context.Context, seen task.Seen) (*task.Task, error)
}

// Site is the pages and what they stand on. It is mounted at the root of its host, beside
// a picture.Handler at /pictures/, which its pages show.
type Site struct {
	Tasks     tasks
	Actions   actions
	Waits     waits // why tasks wait; nil leaves it to what the rows say
	HasQueues bool  // pages link to asynqmon at /queues/
	Log       zerolog.Logger
	ReadOnly  bool // nobody can retry or cancel

	// PictureOrigin is where /pictures/ redirects to, such as https://bucket.example;
	// empty if the pictures come from the site itself.
	PictureOrigin string

	// Undecided reports whether a task's last call waits for a person's word because
	// nobody can be asked about it, and the provider's page to look it up on, if known.
	// Nil says that somebody can always be asked.
	Undecided func([]task.Attempt) (bool, string)
	// Asks reports whether the provider can be asked about calls; nil says that every one can.
	Asks func(provider string) bool

	// Hosts are the names by which the site may be called, without ports; empty
	// accepts all. A site that listens on loopback names only this machine: otherwise
	// any web page whose name its owner points at 127.0.0.1 can read the site.
	Hosts []string

	all, pending count // of the tasks, for pages that look again by themselves
}

// Handler returns the pages, behind Guard.
func (s *Site) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /{$}", s.page(s.bounded(s.gallery)))
	mux.Handle("GET /tasks/{id}", s.page(s.bounded(s.story)))
	mux.Handle("GET /failed", s.page(s.bounded(s.failed)))
	mux.Handle("GET /operations", s.page(s.bounded(s.operations)))
	mux.Handle("GET /operations.json", s.page(s.bounded(s.operationsJSON)))
	mux.Handle("POST /tasks/{id}/retry", s.change(s.bounded(s.retry)))
	mux.Handle("POST /tasks/{id}/give-up", s.change(s.bounded(s.giveUp)))
	mux.Handle("POST /tasks/{id}/cancel", s.change(s.bounded(s.cancel)))
	mux.Handle("POST /failed/retry", s.change(s.retryKind))
	mux.Handle("GET /assets/{name}", s.page(asset))
	mux.Handle("/", s.page(func(*http.Request) (answer, error) { return nil, errNoPage }))
	return s.Guard(mux)
}

// bounded is h for a page that waits as long as a person does, also for what follows a word.
func (s *Site) bounded(h handler) handler {
	return func(r *http.Request) (a answer, err error) {
		err = s.Tasks.ForPerson(r.Context(), func(ctx context.Context) (err error) {
			a, err = h(r.WithContext(ctx))
			return err
		})
		return a, err
	}
}

func (s *Site) logged(r *http.Request, err error) {
	if r.Context().Err() != nil {
		return // the reader has gone, which is no fault
	}
	s.Log.Error().Err(err).Str("method", r.Method).Str("path", r.URL.Path).Msg("page not served")
}
