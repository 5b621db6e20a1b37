package fakeprovider

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/provider/comfyui"
	"github.com/easelqueue/easel/provider/openai"
	"github.com/easelqueue/easel/provider/replicate"
	"github.com/easelqueue/easel/task"
)

// service is a real service that the fake provider speaks as.
type service struct {
	open  func(at string, key provider.Secret, c *provider.Client) (provider.Provider, error)
	path  string
	model string
	busy  task.Execution // what its 503 says of a call
}

var services = map[string]service{
	"OpenAI": {func(at string, key provider.Secret, c *provider.Client) (provider.Provider, error) {
		return openai.New(openai.Config{BaseURL: at, Key: key, Client: c})
	}, "/sync/somebody/v1", "gpt-image-2", task.NotExecuted},
	"Replicate": {func(at string, key provider.Secret, c *provider.Client) (provider.Provider, error) {
		return replicate.New(replicate.Config{BaseURL: at, Key: key, Client: c})
	}, "/async/somebody/v1", "acme/brush", task.Unknown},
	"ComfyUI": {func(at string, key provider.Secret, c *provider.Client) (provider.Provider, error) {
		return comfyui.New(comfyui.Config{BaseURL: at, Key: key, Client: c})
	}, "/lookup/somebody", "brush.safetensors", task.Unknown},
}

const attempt = "0198c0de-0000-7000-8000-000000000001"

// order makes one call to the service.
func (s service) order(t *testing.T, r *rig, callback string) (provider.Provider, provider.Answer, error) {
	t.Helper()
	p, err := s.open(r.http.URL+s.path, provider.Secret(r.server.Key), r.client)
	if err != nil {
		t.Fatal(err)
	}
	call, err := p.Prepare(provider.Request{Model: s.model, Prompt: "t-1 一只红狐狸", Images: 1, Size: "1024x1024"})
	if err != nil {
		t.Fatal(err)
	}
	call.Key, call.Number, call.CallbackURL = attempt, 1, callback
	ans, err := p.Submit(t.Context(), call)
	return p, ans, err
}

// follow polls until the call is done.
func follow(t *testing.T, p provider.Provider, ans provider.Answer) provider.Answer {
	t.Helper()
	handle := ans.Handle
	for polls := 0; !ans.Done; polls++ {
		var err error
		if ans, err = p.Poll(t.Context(), handle); err != nil || polls > 1000 {
			t.Fatalf("poll %d: %v", polls, err)
		}
		pause(t.Context(), 5*time.Millisecond)
	}
	return ans
}

func TestRealServices(t *testing.T) {
	for name, s := range services {
		t.Run(name+": a call becomes the picture that the book names", func(t *testing.T) {
			r := newRig(t, Options{Takes: 20 * time.Millisecond, Token: "a-signature"})
			p, ans, err := s.order(t, r, "")
			if err != nil {
				t.Fatal(err)
			}
			out := follow(t, p, ans).Outputs[0]
			content := out.Bytes
			if name == "OpenAI" && len(content) > 0 {
				t.Error("the picture itself is sent, and the fake provider is not inline")
			}
			if out.URL != "" {
				var header http.Header
				if private, ok := p.(provider.Private); ok {
					header = private.PictureHeader(out.URL)
				}
				d, err := r.client.Fetch(t.Context(), out.URL, header, 1<<20)
				if err != nil {
					t.Fatal(err)
				}
				if content, err = io.ReadAll(d); err != nil {
					t.Fatal(err)
				}
				d.Close()
			}
			sum := sha256.Sum256(content)
			lines, bills := r.booked()
			if bills != 1 || lines[0].Key != attempt || lines[0].Tag != "t-1" || lines[0].Pictures[0] != hex.EncodeToString(sum[:]) {
				t.Errorf("the book says %+v", lines)
			}
		})
		t.Run(name+": a 503 leaves open what the service leaves open", func(t *testing.T) {
			r := newRig(t, Options{})
			r.control(`{"faults":["busy"]}`)
			_, _, err := s.order(t, r, "")
			lines, bills := r.booked()
			if f := task.AsFailure(err); f == nil || f.Executed != s.busy || bills != 0 || lines[0].Cut != (s.busy == task.Unknown) {
				t.Errorf("%v, and the book says %+v", err, lines)
			}
		})
		t.Run(name+": a failure of its own is not billed, and said where the service says so", func(t *testing.T) {
			r := newRig(t, Options{})
			r.control(`{"faults":["own","gateway","broken"]}`)
			for i, bills := range []int{0, 0, 1} {
				_, _, err := s.order(t, r, "")
				lines, booked := r.booked()
				f := task.AsFailure(err)
				if f == nil || f.Unbilled != (i == 0 && name == "OpenAI") || !f.Unbilled && f.Executed != task.Unknown || booked != bills || lines[i].Cut == f.Unbilled {
					t.Errorf("call %d: %v, and the book says %+v", i+1, err, lines)
				}
			}
		})
		t.Run(name+": what cannot be drawn is not billed, and final", func(t *testing.T) {
			r := newRig(t, Options{})
			r.control(`{"faults":["fails"]}`)
			p, ans, err := s.order(t, r, "")
			if err == nil {
				_, err = p.Poll(t.Context(), ans.Handle)
			}
			if f := task.AsFailure(err); f == nil || f.Executed != task.Executed {
				t.Errorf("got %v", err)
			}
			if _, bills := r.booked(); bills != 0 {
				t.Errorf("%d bills", bills)
			}
		})
		t.Run(name+": a job that works on can be stopped", func(t *testing.T) {
			r := newRig(t, Options{Takes: time.Hour})
			if strings.HasPrefix(s.path, "/sync/") {
				return // it has no jobs
			}
			p, ans, err := s.order(t, r, "")
			if err != nil {
				t.Fatal(err)
			}
			if err := p.Cancel(t.Context(), ans.Handle); err != nil {
				t.Fatal(err)
			}
			if _, err := p.Poll(t.Context(), ans.Handle); task.AsFailure(err).Kind != task.Stopped {
				t.Errorf("got %v", err)
			}
		})
		t.Run(name+": a cancel that is answered well is a promise that need not be kept", func(t *testing.T) {
			if strings.HasPrefix(s.path, "/sync/") {
				return // it has no jobs
			}
			for heeds, ends := range map[string]bool{Deaf: true, Late: false} {
				r := newRig(t, Options{Takes: 10 * time.Second})
				if heeds == Deaf {
					r = newRig(t, Options{Takes: 300 * time.Millisecond})
				}
				r.control(`{"cancels":"` + heeds + `"}`)
				p, ans, err := s.order(t, r, "")
				if err == nil {
					err = p.Cancel(t.Context(), ans.Handle)
				}
				if err != nil {
					t.Fatal(err)
				}
				first, err := p.Poll(t.Context(), ans.Handle)
				if err != nil {
					t.Fatalf("%s: the job has ended at once: %v", heeds, err)
				}
				for began := time.Now(); err == nil && !first.Done; {
					if time.Since(began) > time.Minute {
						t.Fatalf("%s: the job does not end", heeds)
					}
					first, err = p.Poll(t.Context(), ans.Handle)
				}
				if ends != (err == nil) || !ends && task.AsFailure(err).Kind != task.Stopped {
					t.Errorf("%s: got %+v, %v", heeds, first, err)
				}
			}
		})
	}
}

func TestInline(t *testing.T) {
	r := newRig(t, Options{Inline: true})
	_, ans, err := services["OpenAI"].order(t, r, "")
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(ans.Outputs[0].Bytes)
	if lines, _ := r.booked(); lines[0].Pictures[0] != hex.EncodeToString(sum[:]) {
		t.Errorf("%d bytes, and the book says %+v", len(ans.Outputs[0].Bytes), lines)
	}
}

func TestLookUp(t *testing.T) {
	r := newRig(t, Options{Takes: 20 * time.Millisecond})
	s := services["ComfyUI"]
	p, _, err := s.order(t, r, "")
	if err != nil {
		t.Fatal(err)
	}
	ans, err := p.Recover(t.Context(), provider.Lost{Key: attempt})
	if err != nil || !ans.Done && len(ans.Handle) == 0 {
		t.Fatalf("the call is not found again: %+v, %v", ans, err)
	}
	if _, err := p.Recover(t.Context(), provider.Lost{Key: "0198c0de-0000-7000-8000-000000000002"}); task.AsFailure(err).Executed != task.NotExecuted {
		t.Errorf("one that never came: %v", err)
	}
}

func TestCallback(t *testing.T) {
	const secret = "whsec_aGVsbG8="
	calls := make(chan provider.Callback, 10)
	tries := 0
	back := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if tries++; tries == 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		body, _ := io.ReadAll(req.Body)
		calls <- provider.Callback{Header: req.Header, Body: body, Secret: secret}
	}))
	defer back.Close()
	r := newRig(t, Options{Takes: 10 * time.Millisecond, CallbackSecret: secret})
	p, ans, err := services["Replicate"].order(t, r, back.URL)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	select {
	case c := <-calls:
		_, job, err := p.(provider.CallbackReader).ReadCallback(c)
		if err != nil || job != ans.JobID {
			t.Errorf("the callback speaks of %q (%v), want %q", job, err, ans.JobID)
		}
	case <-ctx.Done():
		t.Fatal("nobody calls back a second time")
	}
}
