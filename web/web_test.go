package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/easelqueue/easel/picture"
	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
)

// broken is a database that is away.
type broken struct{ tasks }

func (broken) Tally(context.Context, store.Filter) ([]store.Tally, error) {
	return nil, errors.New("dial tcp 10.1.2.3:5432: refused")
}

func TestSite(t *testing.T) {
	t.Run("An address without a page is a page of its own", func(t *testing.T) {
		b := newBench(t)
		b.refuses(b.do(httptest.NewRequest("GET", "/nothing", nil)), 404, "There is no page at this address.")
		b.refuses(b.do(httptest.NewRequest("GET", "/assets/none.css", nil)), 404, "There is no page at this address.")
		if b.log.Len() > 0 {
			t.Errorf("the log says %q, though nothing is wrong", b.log.String())
		}
	})
	t.Run("Every page forbids what a smuggled script would need", func(t *testing.T) {
		b := newBench(t)
		id := b.park(b.add(task.Task{}), task.Auth, "no").ID
		for _, path := range []string{"/", "/failed", storyPath(id), "/nothing", "/tasks/x", "/assets/style.css"} {
			h := b.do(httptest.NewRequest("GET", path, nil)).Header()
			if got := h.Get("Content-Security-Policy"); got != b.site.policy() {
				t.Errorf("%s: policy %q", path, got)
			}
			if h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Referrer-Policy") != "same-origin" {
				t.Errorf("%s: headers %v", path, h)
			}
		}
	})
	t.Run("Pictures may come from a store that lends them, and from nowhere else", func(t *testing.T) {
		b := newBench(t)
		b.site.Pictures = lender{b.site.Pictures}
		if strings.Contains(b.do(httptest.NewRequest("GET", "/", nil)).Header().Get("Content-Security-Policy"), "bucket.test") {
			t.Error("nothing is lent")
		}
		b.site.Lend = time.Hour
		if got := b.do(httptest.NewRequest("GET", "/", nil)).Header().Get("Content-Security-Policy"); !strings.Contains(got, "img-src 'self' data: https://bucket.test;") {
			t.Errorf("policy %q", got)
		}
		if got := b.do(httptest.NewRequest("GET", "/pictures/1/1-0.png", nil)).Header().Get("Location"); got != "https://bucket.test/1/1-0.png" {
			t.Errorf("the picture is at %q", got)
		}
	})
	t.Run("No page uses what the policy forbids", func(t *testing.T) {
		b := newBench(t)
		b.draw(b.add(task.Task{}), nil)
		id := b.park(b.add(task.Task{}), task.OutcomeUnknown, "no").ID
		for _, path := range []string{"/", "/failed", storyPath(1), storyPath(id)} {
			b.hasNot(b.get(path), " style=", "<style", " onclick=", "<script>", "//cdn")
		}
	})
	t.Run("Pictures keep the headers of their own handler", func(t *testing.T) {
		b := newBench(t)
		b.draw(b.add(task.Task{}), nil)
		w := b.do(httptest.NewRequest("GET", "/pictures/1/1-0.png", nil))
		if w.Code != 200 || w.Body.String() != "bytes of 1/1-0.png" || w.Header().Get("Content-Security-Policy") != "sandbox; default-src 'none'" {
			t.Errorf("got %d %q %v", w.Code, w.Body, w.Header())
		}
	})
	t.Run("A page links the assets by a version that is served for ever", func(t *testing.T) {
		b := newBench(t)
		path, err := assetPath("live.js")
		b.check(err)
		b.has(b.get("/"), `<script src="`+path+`" defer></script>`)
		w := b.do(httptest.NewRequest("GET", path, nil))
		if w.Header().Get("Content-Type") != "text/javascript; charset=utf-8" || !strings.Contains(w.Header().Get("Cache-Control"), "immutable") {
			t.Errorf("got %v", w.Header())
		}
	})
	t.Run("Health is two letters", func(t *testing.T) {
		if w := newBench(t).do(httptest.NewRequest("GET", "/healthz", nil)); w.Code != 200 || w.Body.String() != "ok\n" {
			t.Errorf("got %d %q", w.Code, w.Body)
		}
	})
	t.Run("Readiness says why not", func(t *testing.T) {
		b := newBench(t)
		if w := b.do(httptest.NewRequest("GET", "/readyz", nil)); w.Code != 200 || w.Body.String() != "ok\n" {
			t.Errorf("got %d %q", w.Code, w.Body)
		}
		b.site.Ready = func() error { return errors.New("the heartbeat is late") }
		if w := b.do(httptest.NewRequest("GET", "/readyz", nil)); w.Code != 503 || w.Body.String() != "the heartbeat is late\n" {
			t.Errorf("got %d %q", w.Code, w.Body)
		}
	})
	t.Run("The queues are mounted if there are any", func(t *testing.T) {
		b := newBench(t)
		b.hasNot(b.get("/"), "Queues")
		b.refuses(b.do(httptest.NewRequest("GET", "/queues/", nil)), 404, "no page")
		b.site.Queues = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "asynqmon at "+r.URL.Path) })
		b.has(b.get("/"), `<a href="/queues/">Queues</a>`)
		for _, path := range []string{"/queues", "/queues/", "/queues/api/queues"} {
			b.has(b.get(path), "asynqmon at "+path)
		}
	})
	t.Run("A fault is told to the log, and to the reader only that there is one", func(t *testing.T) {
		b := newBench(t)
		b.site.Tasks = broken{b.store}
		w := b.do(httptest.NewRequest("GET", "/", nil))
		b.refuses(w, 500, "the log of easel says why")
		b.hasNot(w.Body.String(), "10.1.2.3")
		if got := b.log.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, "10.1.2.3") {
			t.Errorf("the log says %q", got)
		}
	})
	t.Run("A reader who has gone is no fault", func(t *testing.T) {
		b := newBench(t)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		for _, path := range []string{"/", "/pictures/1/1-0.png"} {
			b.do(httptest.NewRequest("GET", path, nil).WithContext(ctx))
		}
		if b.log.Len() > 0 {
			t.Errorf("the log says %q", b.log.String())
		}
	})
}

// lender is a store that lends.
type lender struct{ picture.Store }

func (lender) Presign(_ context.Context, key string, _ time.Duration) (string, error) {
	return "https://bucket.test/" + key, nil
}

func (lender) Origin() string { return "https://bucket.test" }
