package app

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/rs/zerolog"

	"github.com/easelqueue/easel/internal/config"
	"github.com/easelqueue/easel/internal/servertest"
	"github.com/easelqueue/easel/picture"
	"github.com/easelqueue/easel/provider/all"
	"github.com/easelqueue/easel/task"
)

const (
	here      = "localhost:8080"
	elsewhere = "evil.example:8080"
	byAddress = "10.0.0.7:8080"
)

// served is an easel that does not work yet, and all that it serves on loopback, with
// asynqmon taking changes.
type served struct {
	*testing.T
	app *App
	mux http.Handler // nil until it is asked
	log servertest.Output
}

func serve(t *testing.T, env ...string) *served {
	t.Helper()
	t.Chdir(t.TempDir())
	cfg, err := config.Load(append(env, "EASEL_QUEUES=write"), all.Kinds)
	if err != nil {
		t.Fatal(err)
	}
	s := &served{T: t}
	if s.app, err = New(t.Context(), cfg, zerolog.New(&s.log), true); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.app.Close)
	return s
}

// ask sends a request without a body. What is in origin is what a browser says of the page
// that it comes from; empty says nothing.
func (s *served) ask(method, target, host, origin string) *httptest.ResponseRecorder {
	s.Helper()
	r := httptest.NewRequestWithContext(s.Context(), method, target, nil)
	r.Host = host
	if origin != "" {
		r.Header.Set("Origin", origin)
	}
	return s.answer(r)
}

func (s *served) answer(r *http.Request) *httptest.ResponseRecorder {
	s.Helper()
	if s.mux == nil {
		mux, err := s.app.mux(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8080})
		if err != nil {
			s.Fatal(err)
		}
		s.mux = mux
	}
	w := httptest.NewRecorder()
	s.mux.ServeHTTP(w, r)
	return w
}

// draw puts a picture where it is served.
func (s *served) draw() {
	s.Helper()
	if err := s.app.Pictures.Put(s.Context(), "1/1-0.png", strings.NewReader("a picture"), "image/png"); err != nil {
		s.Fatal(err)
	}
}

func TestMux(t *testing.T) {
	s := serve(t)
	s.draw()
	call := "/callbacks/sketch/" + uuid.NewString()
	for claim, c := range map[string]struct {
		method, target, host, origin string
		status                       int
		text                         string
	}{
		"The gallery is at the root":                             {"GET", "/", here, "", 200, "<h1"},
		"A picture is below /pictures/":                          {"GET", "/pictures/1/1-0.png", here, "", 200, "a picture"},
		"Asynqmon is at /queues":                                 {"GET", "/queues", here, "", 200, "Asynq"},
		"Asynqmon is below /queues/":                             {"GET", "/queues/api/queues", here, "", 200, "queues"},
		"A callback is taken to its room":                        {"POST", call, here, "", 404, "there is no such call"},
		"A callback of the release before is taken there too":    {"POST", strings.Replace(call, "callbacks", "hooks", 1), here, "", 404, "there is no such call"},
		"Health is two letters":                                  {"GET", "/healthz", here, "", 200, "ok\n"},
		"Readiness says why not":                                 {"GET", "/readyz", here, "", 503, "the worker has not begun to work yet\n"},
		"What nobody serves is a page":                           {"GET", "/nothing", here, "", 404, "There is no page at this address."},
		"A name in other letters is nobody's":                    {"GET", "/Pictures/1/1-0.png", here, "", 404, "There is no page at this address."},
		"A probe is only asked":                                  {"POST", "/healthz", here, "", 404, "There is no page at this address."},
		"A service that calls back may know us by any name":      {"POST", call, elsewhere, "", 404, "there is no such call"},
		"A service that calls back may say where it comes from":  {"POST", call, here, "https://service.example", 404, "there is no such call"},
		"A probe comes by address":                               {"GET", "/healthz", byAddress, "", 200, "ok\n"},
		"A probe of readiness comes by address":                  {"HEAD", "/readyz", byAddress, "", 503, "not begun"},
		"A page does not answer to a foreign name":               {"GET", "/", elsewhere, "", 421, "Wrong address"},
		"What commands ask for does not answer to one":           {"GET", "/operations.json", elsewhere, "", 421, "Wrong address"},
		"A picture does not answer to one":                       {"GET", "/pictures/1/1-0.png", elsewhere, "", 421, "Wrong address"},
		"Asynqmon does not answer to one":                        {"GET", "/queues", elsewhere, "", 421, "Wrong address"},
		"Asynqmon's data do not answer to one":                   {"GET", "/queues/api/queues", elsewhere, "", 421, "Wrong address"},
		"What is not there does not answer to one":               {"GET", "/nothing", elsewhere, "", 421, "Wrong address"},
		"A probe that is no GET does not answer to one":          {"POST", "/readyz", elsewhere, "", 421, "Wrong address"},
		"No name is a foreign name":                              {"GET", "/queues/api/queues", "", "", 421, "Wrong address"},
		"A foreign page changes nothing through the pages":       {"POST", "/tasks/1/cancel", here, "https://evil.example", 403, "another site"},
		"A page without an origin changes nothing through them":  {"POST", "/tasks/1/cancel", here, "null", 403, "another site"},
		"A foreign page changes nothing through asynqmon":        {"DELETE", "/queues/api/queues/sketch", here, "https://evil.example", 403, "another site"},
		"A page without an origin changes nothing through it":    {"DELETE", "/queues/api/queues/sketch", here, "null", 403, "another site"},
		"Another port of this machine is a foreign page":         {"DELETE", "/queues/api/queues/sketch", here, "http://localhost:9999", 403, "another site"},
		"A picture cannot be deleted":                            {"DELETE", "/pictures/1/1-0.png", here, "", 405, "can only be read"},
		"Who looks at the address of callbacks is told its use":  {"GET", call, here, "", 405, "providers POST here"},
		"An encoded way out of callbacks leads nowhere":          {"POST", "/callbacks/%2e%2e/queues/api/queues", here, "", 404, "there is no such call"},
		"An encoded way from the pictures to asynqmon is closed": {"GET", "/pictures/%2e%2e/queues/api/queues", here, "", 404, "no picture"},
		"A slash that is encoded joins nothing":                  {"GET", "/queues%2fapi/queues", elsewhere, "", 421, "Wrong address"},
	} {
		t.Run(claim, func(t *testing.T) {
			w := s.ask(c.method, c.target, c.host, c.origin)
			if w.Code != c.status || !strings.Contains(w.Body.String(), c.text) {
				t.Errorf("got %d %.300q, want %d with %q", w.Code, w.Body, c.status, c.text)
			}
			for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "same-origin"} {
				if got := w.Header().Values(name); len(got) != 1 || got[0] != want {
					t.Errorf("%s is %q", name, got)
				}
			}
			if w.Header().Get("Access-Control-Allow-Origin") != "" {
				t.Error("other sites may read it")
			}
		})
	}
}

// TestNoSpellingGoesAroundTheGuard asks asynqmon to delete a delivery by every way to
// write its address.
func TestNoSpellingGoesAroundTheGuard(t *testing.T) {
	s := serve(t)
	row := &task.Task{Request: task.Request{Provider: "sketch", Prompt: "a fox"}}
	if _, err := s.app.Client.Enqueue(t.Context(), row); err != nil {
		t.Fatal(err)
	}
	const queue = "/queues/api/queues/sketch/pending_tasks"
	waits := func() bool {
		t.Helper()
		return strings.Contains(s.ask("GET", queue, here, "").Body.String(), "task 1, delivery 0")
	}
	if !waits() {
		t.Fatal("the delivery is not shown")
	}
	delivery := strings.TrimPrefix(queue, "/queues") + "/1.0"
	for _, target := range []string{"/queues" + delivery, "//queues" + delivery, "/queues/" + delivery, "/queues/." + delivery, "/queues/../queues" + delivery, "/healthz/../queues" + delivery,
		"/callbacks/../queues" + delivery, "/%71ueues" + delivery, "/queues%2f.." + delivery, "/callbacks/..%2fqueues" + delivery, "http://localhost:8080/queues" + delivery} {
		for _, method := range []string{"DELETE", "POST", "PUT", "PATCH", "CONNECT", "TRACE", "delete"} {
			for _, from := range []struct{ host, origin string }{{elsewhere, ""}, {elsewhere, "http://" + elsewhere}, {here, "https://evil.example"}, {here, "null"}} {
				if w := s.ask(method, target, from.host, from.origin); w.Code < 300 {
					t.Errorf("%s %s of %v answers %d", method, target, from, w.Code)
				}
			}
		}
	}
	for _, method := range []string{"GET", "HEAD", "OPTIONS"} {
		s.ask(method, "/queues"+delivery, here, "https://evil.example")
	}
	if !waits() {
		t.Fatal("the delivery is gone")
	}
	t.Run("The person at this machine may", func(t *testing.T) {
		if w := s.ask("DELETE", "/queues"+delivery, here, "http://"+here); w.Code >= 300 || waits() {
			t.Errorf("got %d %s", w.Code, w.Body)
		}
	})
}

func TestReadiness(t *testing.T) {
	s := serve(t)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.app.Work(ctx) }()
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	deadline := time.After(time.Minute)
	for w := s.ask("GET", "/readyz", byAddress, ""); w.Code != 200; w = s.ask("GET", "/readyz", byAddress, "") {
		select {
		case <-look.C:
		case <-deadline:
			t.Fatalf("got %d %q", w.Code, w.Body)
		}
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestPictures(t *testing.T) {
	t.Run("They keep the headers of their own handler", func(t *testing.T) {
		s := serve(t)
		s.draw()
		w := s.ask("GET", "/pictures/1/1-0.png", here, "")
		if got := w.Header().Get("Content-Security-Policy"); w.Code != 200 || got != "sandbox; default-src 'none'" {
			t.Errorf("got %d %q", w.Code, got)
		}
	})
	t.Run("Where the store lends them, they lead to it and pages may show them from there", func(t *testing.T) {
		s := serve(t)
		s.app.Pictures, s.app.Config.S3.Lend = lender{s.app.Pictures}, time.Hour
		if got := s.ask("GET", "/pictures/1/1-0.png", here, "").Header().Get("Location"); got != "https://bucket.test/1/1-0.png" {
			t.Errorf("the picture is at %q", got)
		}
		if got := s.ask("GET", "/", here, "").Header().Get("Content-Security-Policy"); !strings.Contains(got, "img-src 'self' data: https://bucket.test;") {
			t.Errorf("policy %q", got)
		}
	})
	t.Run("A store that could lend them and is not to is not named to browsers", func(t *testing.T) {
		s := serve(t)
		s.app.Pictures = lender{s.app.Pictures}
		if got := s.ask("GET", "/", here, "").Header().Get("Content-Security-Policy"); strings.Contains(got, "bucket.test") {
			t.Errorf("policy %q", got)
		}
	})
	t.Run("A fault is told to the log, unless the reader has gone", func(t *testing.T) {
		s := serve(t)
		s.app.Pictures = broken{s.app.Pictures}
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		r := httptest.NewRequestWithContext(gone, "GET", "/pictures/1/1-0.png", nil)
		r.Host = here
		before := s.log.String()
		if w := s.answer(r); w.Code != 500 || s.log.String() != before {
			t.Errorf("got %d, the log says %q", w.Code, s.log.String())
		}
		if w := s.ask("GET", "/pictures/1/1-0.png", here, ""); w.Code != 500 || !strings.Contains(s.log.String(), "the disk fails") || strings.Contains(w.Body.String(), "disk") {
			t.Errorf("got %d %s, the log says %q", w.Code, w.Body, s.log.String())
		}
	})
}

// broken is a store that cannot be read.
type broken struct{ picture.Lister }

func (broken) Open(context.Context, string) (io.ReadSeekCloser, error) {
	return nil, errors.New("the disk fails")
}

// lender is a store that lends.
type lender struct{ picture.Lister }

func (lender) Presign(_ context.Context, key string, _ time.Duration) (string, error) {
	return "https://bucket.test/" + key, nil
}

func (lender) Origin() string { return "https://bucket.test" }
