package picture

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// shelf is a Store that has what it was given.
type shelf struct {
	Store
	pictures map[string][]byte
	err      error
}

func (s shelf) Open(_ context.Context, key string) (io.ReadSeekCloser, error) {
	data, ok := s.pictures[key]
	switch {
	case s.err != nil:
		return nil, s.err
	case !ok:
		return nil, ErrNotFound
	}
	return struct {
		io.ReadSeeker
		io.Closer
	}{bytes.NewReader(data), io.NopCloser(nil)}, nil
}

// library is a shelf that lends.
type library struct{ shelf }

func (l library) Presign(_ context.Context, key string, life time.Duration) (string, error) {
	switch {
	case l.err != nil:
		return "", l.err
	case CheckKey(key) != nil:
		return "", ErrBadKey
	}
	return fmt.Sprintf("https://bucket.test/%s?for=%s", key, life), nil
}

func (library) Origin() string { return "https://bucket.test" }

func serve(h Handler, method, path string, header http.Header) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	r := httptest.NewRequest(method, "http://localhost/", nil)
	r.URL.Path, r.URL.RawQuery, _ = strings.Cut(path, "?")
	r.Header = header
	h.ServeHTTP(w, r)
	return w
}

func TestHandler(t *testing.T) {
	html := []byte("<html><script>alert(1)</script>")
	h := Handler{Store: shelf{pictures: map[string][]byte{"7/1-0.png": []byte("0123456789"), "7/1-1.JPG": html, "7/1-2.svg": html, "7/1-3": html}}}

	t.Run("A picture is served so that browsers run nothing and keep it", func(t *testing.T) {
		w := serve(h, "GET", "/7/1-0.png?v=84d89877f0d4", nil)
		if w.Code != 200 || w.Body.String() != "0123456789" {
			t.Fatalf("got %d %q", w.Code, w.Body)
		}
		for name, want := range map[string]string{
			"Content-Type": "image/png", "Content-Length": "10", "Accept-Ranges": "bytes", "X-Content-Type-Options": "nosniff",
			"Content-Security-Policy": "sandbox; default-src 'none'", "Cache-Control": "private, max-age=31536000, immutable",
		} {
			if got := w.Header().Get(name); got != want {
				t.Errorf("%s is %q, want %q", name, got, want)
			}
		}
	})
	t.Run("An address that does not say which content it means is asked for again", func(t *testing.T) {
		if got := serve(h, "GET", "/7/1-0.png", nil).Header().Get("Cache-Control"); got != "private, max-age=600" {
			t.Errorf("Cache-Control is %q", got)
		}
	})
	t.Run("HEAD has the headers alone", func(t *testing.T) {
		if w := serve(h, "HEAD", "/7/1-0.png", nil); w.Code != 200 || w.Body.Len() != 0 || w.Header().Get("Content-Length") != "10" {
			t.Errorf("got %d %q %v", w.Code, w.Body, w.Header())
		}
	})
	t.Run("A store that lends is where readers are sent", func(t *testing.T) {
		lends := Handler{Store: library{shelf{pictures: map[string][]byte{"7/1-0.thumb.jpg": []byte("small")}}}, Lend: time.Hour}
		w := serve(lends, "GET", "/7/1-0.png", nil)
		if w.Code != 302 || w.Header().Get("Location") != "https://bucket.test/7/1-0.png?for=1h0m0s" || w.Header().Get("Cache-Control") != "private, max-age=1800" {
			t.Errorf("got %d %v", w.Code, w.Header())
		}
		if w := serve(lends, "HEAD", "/7/1-0.png", nil); w.Code == 302 {
			t.Error("an address that is signed for GET is given to HEAD")
		}
		if w := serve(lends, "GET", "/7/1-2.svg", nil); w.Code != 404 {
			t.Errorf("what is no picture is lent: %d", w.Code)
		}
		if w := serve(lends, "GET", "/../x.png", nil); w.Code != 404 {
			t.Errorf("a bad key is lent: %d", w.Code)
		}
		lends.Store = library{shelf{err: errors.New("away")}}
		if w := serve(lends, "GET", "/7/1-0.png", nil); w.Code != 500 {
			t.Errorf("a store that is away: %d", w.Code)
		}
		lends.Lend = 0
		lends.Store = library{h.Store.(shelf)}
		if w := serve(lends, "GET", "/7/1-0.png", nil); w.Code != 200 {
			t.Errorf("nobody asked to lend: %d", w.Code)
		}
	})
	t.Run("A range is served", func(t *testing.T) {
		if w := serve(h, "GET", "/7/1-0.png", http.Header{"Range": {"bytes=2-4"}}); w.Code != 206 || w.Body.String() != "234" {
			t.Errorf("got %d %q", w.Code, w.Body)
		}
	})
	t.Run("The extension decides the type, whatever the content", func(t *testing.T) {
		if w := serve(h, "GET", "/7/1-1.JPG", nil); w.Header().Get("Content-Type") != "image/jpeg" {
			t.Errorf("got %v", w.Header())
		}
	})
	t.Run("What browsers do not show, and what nobody knows, is downloaded", func(t *testing.T) {
		for _, test := range []struct{ key, kind, disposition string }{
			{"a/b.avif", "image/avif", ""}, {"a/b.webp", "image/webp", ""},
			{"a/b.heic", "image/heic", "attachment"}, {"a/b.jxl", "image/jxl", "attachment"}, {"a/b.bin", "application/octet-stream", "attachment"},
		} {
			w := serve(Handler{Store: shelf{pictures: map[string][]byte{test.key: []byte("<script>alert(1)</script>")}}}, "GET", test.key, nil)
			h := w.Header()
			if w.Code != 200 || h.Get("Content-Type") != test.kind || h.Get("Content-Disposition") != test.disposition || h.Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("%s: %d %v", test.key, w.Code, h)
			}
			if Shows(test.key) != (test.disposition == "") {
				t.Errorf("%s: shown is %t", test.key, Shows(test.key))
			}
		}
	})
	t.Run("What is not a picture is not there", func(t *testing.T) {
		for _, path := range []string{"/7/1-2.svg", "/7/1-3", "/7/9.png", "/", "", "/../x.png"} {
			w := serve(h, "GET", path, nil)
			if w.Code != 404 || w.Body.String() != "There is no picture here.\n" || w.Header().Get("Cache-Control") != "no-store" {
				t.Errorf("%s: got %d %q %v", path, w.Code, w.Body, w.Header())
			}
		}
	})
	t.Run("A key that no store takes is not there", func(t *testing.T) {
		h := Handler{Store: shelf{err: ErrBadKey}}
		if w := serve(h, "GET", "/.tmp/x.png", nil); w.Code != 404 {
			t.Errorf("got %d", w.Code)
		}
	})
	t.Run("Nothing but reading is allowed", func(t *testing.T) {
		for _, method := range []string{"POST", "PUT", "DELETE", "OPTIONS"} {
			if w := serve(h, method, "/7/1-0.png", nil); w.Code != 405 || w.Header().Get("Allow") != "GET, HEAD" {
				t.Errorf("%s: got %d", method, w.Code)
			}
		}
	})
	t.Run("Why a store fails is told to the operator and not to the reader", func(t *testing.T) {
		broken := errors.New("folder /srv/pictures: input/output error")
		var told error
		h := Handler{Store: shelf{err: broken}, OnError: func(_ *http.Request, err error) { told = err }}
		w := serve(h, "GET", "/7/1-0.png", nil)
		if w.Code != 500 || bytes.Contains(w.Body.Bytes(), []byte("srv")) || w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("got %d %q %v", w.Code, w.Body, w.Header())
		}
		if told != broken {
			t.Errorf("the operator was told %v", told)
		}
	})
}
