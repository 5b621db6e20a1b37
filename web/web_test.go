package web

import (
	"context"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"

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
		id := b.fail(b.add(task.Task{}), task.Auth, "no").ID
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
	t.Run("Pictures may come from where /pictures/ leads to, and from nowhere else", func(t *testing.T) {
		b := newBench(t)
		policy := func() string {
			return b.do(httptest.NewRequest("GET", "/", nil)).Header().Get("Content-Security-Policy")
		}
		if got := policy(); !strings.Contains(got, "img-src 'self' data:;") {
			t.Errorf("policy %q", got)
		}
		b.site.PictureOrigin = "https://bucket.test"
		if got := policy(); !strings.Contains(got, "img-src 'self' data: https://bucket.test;") {
			t.Errorf("policy %q", got)
		}
	})
	t.Run("No page uses what the policy forbids", func(t *testing.T) {
		b := newBench(t)
		b.draw(b.add(task.Task{}), nil)
		id := b.fail(b.add(task.Task{}), task.OutcomeUnknown, "no").ID
		for _, path := range []string{"/", "/failed", storyPath(1), storyPath(id)} {
			b.hasNot(b.get(path), " style=", "<style", " onclick=", "<script>", "//cdn")
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
	t.Run("The queues are linked if there are any", func(t *testing.T) {
		b := newBench(t)
		b.hasNot(b.get("/"), "Queues")
		b.site.HasQueues = true
		b.has(b.get("/"), `<a href="/queues/">Queues</a>`)
	})
	t.Run("What is no page is left to whoever mounts the site", func(t *testing.T) {
		b := newBench(t)
		b.draw(b.add(task.Task{}), nil)
		for _, path := range []string{"/pictures/1/1-0.png", "/queues/", "/callbacks/sketch/1", "/healthz", "/readyz"} {
			b.refuses(b.do(httptest.NewRequest("GET", path, nil)), 404, "There is no page at this address.")
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
		b.do(httptest.NewRequest("GET", "/", nil).WithContext(ctx))
		if b.log.Len() > 0 {
			t.Errorf("the log says %q", b.log.String())
		}
	})
}
