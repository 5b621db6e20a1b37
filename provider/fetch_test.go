package provider_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/provider/providertest"
	"github.com/easelqueue/easel/task"
)

const fetchLimit = 1 << 20

// fetch downloads all of the URL.
func fetch(ctx context.Context, c *provider.Client, url string, header http.Header, limit int64) ([]byte, error) {
	d, err := c.Fetch(ctx, url, header, limit)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	return io.ReadAll(d)
}

func TestFetch(t *testing.T) {
	t.Run("A signed URL is sent as it is written", func(t *testing.T) {
		s, c := service(t, providertest.Draws())
		d, err := c.Fetch(t.Context(), s.PictureURL("a cat"), nil, fetchLimit)
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		got, err := io.ReadAll(d)
		want := providertest.Picture("a cat")
		if err != nil || !bytes.Equal(got, want) || d.Length != int64(len(want)) || d.ContentType != "image/png" {
			t.Errorf("%d bytes, length %d, type %q, %v", len(got), d.Length, d.ContentType, err)
		}
	})
	t.Run("Each status has its failure, and none is a purchase", func(t *testing.T) {
		for status, kind := range map[int]task.Kind{401: task.Expired, 403: task.Expired, 404: task.Expired, 410: task.Expired, 429: task.RateLimited,
			400: task.BadAnswer, 204: task.BadAnswer, 206: task.BadAnswer, 408: task.Unavailable, 500: task.Unavailable, 503: task.Unavailable} {
			s, c := service(t, providertest.Draws())
			s.Downloads(providertest.Answers(status, "", "Retry-After", "3"))
			_, err := fetch(t.Context(), c, s.PictureURL("a cat"), nil, fetchLimit)
			if f := failure(t, err, kind, task.NotExecuted); f.HTTPStatus != status || f.RetryAfter != 3*time.Second {
				t.Errorf("%d: %#v", status, f)
			}
		}
	})
	t.Run("A body shorter than announced is an error", func(t *testing.T) {
		s, c := service(t, providertest.Draws())
		s.Downloads(providertest.CutsOff())
		_, err := fetch(t.Context(), c, s.PictureURL("a cat"), nil, fetchLimit)
		failure(t, err, task.Unavailable, task.NotExecuted)
	})
	t.Run("A picture of exactly the limit is taken, and no larger one", func(t *testing.T) {
		s, c := service(t, providertest.Draws())
		size := int64(len(providertest.Picture("a cat")))
		for _, how := range []providertest.Behaviour{providertest.Draws(), unannounced()} {
			s.Downloads(how)
			if _, err := fetch(t.Context(), c, s.PictureURL("a cat"), nil, size); err != nil {
				t.Errorf("%s: %v", how.Name, err)
			}
			got, err := fetch(t.Context(), c, s.PictureURL("a cat"), nil, size-1)
			failure(t, err, task.BadAnswer, task.NotExecuted)
			if int64(len(got)) >= size {
				t.Errorf("%s: %d bytes were read", how.Name, len(got))
			}
		}
	})
	t.Run("A picture that is announced as too large is not read at all", func(t *testing.T) {
		s, c := service(t, providertest.Draws())
		_, err := c.Fetch(t.Context(), s.PictureURL("a cat"), nil, 1)
		failure(t, err, task.BadAnswer, task.NotExecuted)
	})
	t.Run("A gzip bomb is not unpacked", func(t *testing.T) {
		s, c := service(t, providertest.Draws())
		s.Downloads(providertest.Bombs(16 << 20))
		if got, err := fetch(t.Context(), c, s.PictureURL("a cat"), nil, fetchLimit); err != nil || len(got) > 100<<10 {
			t.Errorf("%d bytes, %v", len(got), err)
		}
	})
	t.Run("A drip ends with the context", func(t *testing.T) {
		s, c := service(t, providertest.Draws())
		s.Downloads(providertest.Drips())
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		_, err := fetch(ctx, c, s.PictureURL("a cat"), nil, fetchLimit)
		failure(t, err, task.Timeout, task.NotExecuted)
	})
	t.Run("A server that is gone may be asked again", func(t *testing.T) {
		s, c := service(t, providertest.Draws())
		s.Close()
		_, err := fetch(t.Context(), c, s.PictureURL("a cat"), nil, fetchLimit)
		if f := failure(t, err, task.Unavailable, task.NotExecuted); strings.Contains(f.Error(), "X-Sig") {
			t.Errorf("the signature is shown: %v", f)
		}
	})
	t.Run("An address that is no web address is refused", func(t *testing.T) {
		_, c := service(t, providertest.Draws())
		for _, u := range []string{"file:///etc/passwd", "ftp://h.test/x", "data:image/png;base64,AAAA", "//h.test/x", "http://", "", "http://u:SECRET@h.test/", "http://h test/?k=SECRET"} {
			_, err := fetch(t.Context(), c, u, nil, fetchLimit)
			if f := failure(t, err, task.BadAnswer, task.NotExecuted); strings.Contains(f.Error(), "SECRET") {
				t.Errorf("%v", f)
			}
		}
	})
}

// unannounced sends a good answer without its length.
func unannounced() providertest.Behaviour {
	return providertest.Behaviour{Name: "does not announce its length", Serve: func(w http.ResponseWriter, _ *http.Request, answer []byte) {
		http.NewResponseController(w).Flush()
		w.Write(answer)
	}}
}

func TestFetchFollowsFewRedirects(t *testing.T) {
	var seen []http.Header
	mux := http.NewServeMux()
	mux.HandleFunc("/hop/{left}", func(w http.ResponseWriter, r *http.Request) {
		seen = append(seen, r.Header)
		var left int
		fmt.Sscan(r.PathValue("left"), &left)
		if left > 0 {
			http.Redirect(w, r, fmt.Sprintf("/hop/%d?sig=x", left-1), http.StatusFound)
		}
	})
	mux.HandleFunc("/out", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, r.URL.Query().Get("to"), http.StatusFound)
	})
	s := httptest.NewServer(mux)
	defer s.Close()
	c := &provider.Client{HTTP: s.Client()}

	t.Run("Three are followed, without credentials and without the signed URL", func(t *testing.T) {
		seen = nil
		if _, err := fetch(t.Context(), c, s.URL+"/hop/3?sig=x", http.Header{"X-Api-Key": {"SECRET"}}, fetchLimit); err != nil {
			t.Fatal(err)
		}
		if len(seen) != 4 || seen[0].Get("X-Api-Key") != "SECRET" {
			t.Fatalf("headers: %v", seen)
		}
		for _, h := range seen[1:] {
			if h.Get("X-Api-Key") != "" || h.Get("Referer") != "" || h.Get("Accept-Encoding") != "identity" {
				t.Errorf("a redirect carried %v", h)
			}
		}
	})
	t.Run("The fourth is refused", func(t *testing.T) {
		seen = nil
		_, err := fetch(t.Context(), c, s.URL+"/hop/4", nil, fetchLimit)
		failure(t, err, task.BadAnswer, task.NotExecuted)
		if len(seen) != 4 {
			t.Errorf("%d requests were made; want 4", len(seen))
		}
	})
	t.Run("A redirect to another scheme is refused", func(t *testing.T) {
		_, err := fetch(t.Context(), c, s.URL+"/out?to=ftp://h.test/", nil, fetchLimit)
		failure(t, err, task.BadAnswer, task.NotExecuted)
	})
	t.Run("A redirect from https to http is refused", func(t *testing.T) {
		secure := httptest.NewTLSServer(mux)
		defer secure.Close()
		seen = nil
		_, err := fetch(t.Context(), &provider.Client{Downloads: secure.Client()}, secure.URL+"/out?to="+s.URL+"/hop/0", nil, fetchLimit)
		failure(t, err, task.BadAnswer, task.NotExecuted)
		if len(seen) != 0 {
			t.Errorf("it was followed: %v", seen)
		}
	})
	t.Run("Downloads go through their own client", func(t *testing.T) {
		refused := errors.New("a private address")
		guard := &http.Client{Transport: roundTripper(func(*http.Request) (*http.Response, error) { return nil, refused })}
		_, err := fetch(t.Context(), &provider.Client{HTTP: s.Client(), Downloads: guard}, s.URL+"/hop/0", nil, fetchLimit)
		if !errors.Is(err, refused) {
			t.Errorf("got %v", err)
		}
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// notThere is an error of a guard that refuses to dial.
type notThere struct{}

func (notThere) Error() string { return "10.0.0.1 is a private address" }
func (notThere) Refusal()      {}

func TestFetchFromAnAddressThatIsRefused(t *testing.T) {
	transport := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Err: notThere{}}
	}}
	c := &provider.Client{Downloads: &http.Client{Transport: transport}}
	_, err := c.Fetch(t.Context(), "http://inside.test/1.png", nil, 1<<20)
	f := failure(t, err, task.BadAnswer, task.NotExecuted)
	if !strings.Contains(f.Error(), "10.0.0.1 is a private address") {
		t.Errorf("the reason is lost: %v", f)
	}
}
