package provider_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/provider/providertest"
	"github.com/easelqueue/easel/task"
)

func TestDoUsesTheAnswerItHas(t *testing.T) {
	t.Run("An answer that comes before the body was read counts", func(t *testing.T) {
		early := providertest.Answers(http.StatusRequestEntityTooLarge, "too much")
		early.Unread = true
		s, c := service(t, early)
		reply, err := c.Do(t.Context(), provider.HTTPRequest{Method: http.MethodPost, URL: s.URL, Body: make([]byte, 128<<10)})
		if err != nil || reply.Status != http.StatusRequestEntityTooLarge {
			t.Errorf("got %d, %v", reply.Status, err)
		}
	})
	t.Run("A status counts though its body breaks off", func(t *testing.T) {
		cut := providertest.CutsOff()
		serve := cut.Serve
		cut.Serve = func(w http.ResponseWriter, r *http.Request, _ []byte) {
			w.Header().Set("Content-Length", "12")
			w.WriteHeader(http.StatusPaymentRequired)
			serve(w, r, []byte("no money now"))
		}
		s, c := service(t, cut)
		reply, err := c.Do(t.Context(), post(s.URL, `{}`))
		if err != nil {
			t.Fatal(err)
		}
		f := failure(t, provider.Faults{}.Failure(reply, ""), task.Billing, task.NotExecuted)
		if f.Detail != "no mon" || f.HTTPStatus != http.StatusPaymentRequired {
			t.Errorf("got %#v", f)
		}
	})
	t.Run("A poll buys nothing, whatever happens to it", func(t *testing.T) {
		s, c := service(t, providertest.Draws())
		r := provider.HTTPRequest{Method: http.MethodGet, URL: s.PictureURL("job"), Free: true}
		s.Downloads(providertest.Answers(http.StatusBadGateway, "<html>"))
		reply, err := c.Do(t.Context(), r)
		if err != nil || reply.Status != http.StatusBadGateway {
			t.Fatalf("got %d, %v", reply.Status, err)
		}
		failure(t, provider.Faults{}.Failure(reply, ""), task.ProviderError, task.NotExecuted)
		failure(t, reply.JSON(new(int)), task.BadAnswer, task.NotExecuted)
		s.Downloads(providertest.Resets())
		_, err = c.Do(t.Context(), r)
		failure(t, err, task.Unavailable, task.NotExecuted)
		s.Always(providertest.Resets())
		asks := post(s.URL, "{}")
		asks.Free = true
		_, err = c.Do(t.Context(), asks)
		failure(t, err, task.Unavailable, task.NotExecuted)
		s.Downloads(providertest.Hangs())
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		_, err = c.Do(ctx, r)
		failure(t, err, task.Timeout, task.NotExecuted)
		s.Close()
		_, err = c.Do(t.Context(), r)
		failure(t, err, task.Unavailable, task.NotExecuted)
	})
	for _, c := range []struct{ claim, comes string }{
		{"A body that breaks off is no answer", `{"data":[{"url":"https://cdn.test/1.p`},
		{"A body that breaks off is no answer, even if what came begins with a refusal", `{"code":1002,"message":"insufficient quota"}` + "\n" + `{"data":[{"b64_json":"iVBOR`},
		{"A body that breaks off is no answer, if what came may be half of a number", "12"},
	} {
		t.Run(c.claim, func(t *testing.T) {
			s, cl := service(t, cutOff(c.comes))
			_, err := cl.Do(t.Context(), post(s.URL, `{}`))
			failure(t, err, task.BadAnswer, task.Unknown)
		})
	}
	t.Run("A body of which all came but its end is the answer", func(t *testing.T) {
		s, c := service(t, cutOff(` {"url":"https://cdn.test/1.png"}`+"\n"))
		r, err := c.Do(t.Context(), post(s.URL, `{}`))
		if err != nil {
			t.Fatal(err)
		}
		a, err := r.Done([]provider.Output{r.Link(0, "https://cdn.test/1.png")}, nil)
		if err != nil || len(a.Notes) != 1 || !strings.Contains(a.Notes[0], "the connection ended") {
			t.Errorf("notes %q, %v", a.Notes, err)
		}
	})
	t.Run("A refusal behind which the connection ended is none", func(t *testing.T) {
		s, c := service(t, cutOff(`{"code":1002,"message":"insufficient quota"}`))
		r, err := c.Do(t.Context(), post(s.URL, `{}`))
		if err != nil {
			t.Fatal(err)
		}
		failure(t, r.Bad("no picture"), task.BadAnswer, task.Unknown)
	})
	t.Run("An endless answer is not read to its end", func(t *testing.T) {
		const endless = 256 << 20
		written := make(chan int, 1)
		s, c := service(t, providertest.Behaviour{Serve: func(w http.ResponseWriter, _ *http.Request, _ []byte) {
			n, block := 0, make([]byte, 64<<10)
			for n < endless {
				m, err := w.Write(block)
				n += m
				if err != nil {
					break
				}
			}
			written <- n
		}})
		c.MaxReply = 1 << 20
		_, err := c.Do(t.Context(), post(s.URL, `{}`))
		failure(t, err, task.BadAnswer, task.Unknown)
		if n := <-written; n >= endless {
			t.Errorf("%d bytes were read", n)
		}
	})
	t.Run("An answer of exactly the limit is read", func(t *testing.T) {
		s, c := service(t, providertest.Draws())
		c.MaxReply = int64(len(`{"ok":true}`))
		if _, err := c.Do(t.Context(), post(s.URL, `{}`)); err != nil {
			t.Error(err)
		}
		c.MaxReply--
		_, err := c.Do(t.Context(), post(s.URL, `{}`))
		failure(t, err, task.BadAnswer, task.Unknown)
	})
	t.Run("A failure keeps its cause", func(t *testing.T) {
		s, c := service(t, providertest.Hangs())
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		_, err := c.Do(ctx, post(s.URL, `{}`))
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v is not a deadline", err)
		}
	})
}
