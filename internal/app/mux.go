package app

import (
	"net"
	"net/http"

	"github.com/easelqueue/easel/callback"
	"github.com/easelqueue/easel/internal/config"
	"github.com/easelqueue/easel/picture"
	"github.com/easelqueue/easel/task"
	"github.com/easelqueue/easel/waiting"
	"github.com/easelqueue/easel/web"
)

const (
	queuesPath   = "/queues"
	picturesPath = "/pictures"
)

// mux is all that is served, each part behind guards of its own:
//
//   - pages, pictures and asynqmon have no login, so the names that they answer to keep
//     foreign pages from reading them, and where a request comes from keeps foreign pages
//     from changing anything (web.Site.Guard);
//   - a callback proves by its key and signature whose it is, and may come by any name;
//   - probes come by address, and learn no more than a sentence of ours.
//
// What is mounted here later brings its own.
func (a *App) mux(at net.Addr) (http.Handler, error) {
	writable, hosts := a.Config.Access(at)
	queues, err := a.queue.Dashboard(queuesPath, !writable || a.Config.Queues != config.Write)
	if err != nil {
		return nil, err
	}
	site := a.site(!writable, hosts)
	pictures := picture.Handler{Store: a.Pictures, Lend: a.Config.S3.Lend, OnError: a.notServed}
	callbacks := &callback.Handler{Tasks: a.Tasks, Services: a.Config.Services, Queue: a.queue, Log: a.Log}

	mux := http.NewServeMux()
	mux.Handle("/", site.Handler())
	mux.Handle(queuesPath, site.Guard(queues))
	mux.Handle(queuesPath+"/", site.Guard(queues))
	mux.Handle(picturesPath+"/", site.Guard(http.StripPrefix(picturesPath, pictures)))
	mux.Handle(callback.Path, callbacks)
	mux.Handle(callback.FormerPath, callbacks) // where calls of the release before are answered
	mux.HandleFunc("GET /healthz", healthy)
	mux.HandleFunc("GET /readyz", a.readiness)
	return careful(mux), nil
}

// careful gives every answer the headers that none of ours goes without, also those that
// no part has written, such as a redirect to the clean form of a path.
func careful(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "same-origin")
		next.ServeHTTP(w, r)
	})
}

// site is the pages. Nobody logs in.
func (a *App) site(readOnly bool, hosts []string) *web.Site {
	looker := &waiting.Looker{Tasks: a.Tasks, Queues: a.queue, Limits: a.limiter, Services: a.Config.Services}
	s := &web.Site{Tasks: a.Tasks, Waits: looker, Actions: a.Client, HasQueues: true, Log: a.Log, ReadOnly: readOnly, Hosts: hosts,
		Undecided: a.undecided, Asks: a.Config.Services.Asks}
	if lender, ok := a.Pictures.(picture.Lender); ok && a.Config.S3.Lend > 0 {
		s.PictureOrigin = lender.Origin()
	}
	return s
}

// undecided says of a task's calls whether the last waits for a person's word, and where
// that person looks it up.
func (a *App) undecided(attempts []task.Attempt) (bool, string) {
	if !a.Config.Services.Undecided(attempts) {
		return false, ""
	}
	return true, a.Config.Services.Console(attempts[len(attempts)-1].Provider)
}

func (a *App) notServed(r *http.Request, err error) {
	if r.Context().Err() != nil {
		return // the reader has gone, which is no fault
	}
	a.Log.Error().Err(err).Str("method", r.Method).Str("path", r.URL.Path).Msg("picture not served")
}

func healthy(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Write([]byte("ok\n"))
}

// readiness says 503, with the reason, while the process cannot do its work.
func (a *App) readiness(w http.ResponseWriter, r *http.Request) {
	if err := a.ready(); err != nil {
		w.Header().Set("Cache-Control", "no-store")
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	healthy(w, r)
}
