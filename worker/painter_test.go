package worker_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"image"
	"image/color"
	"image/png"
	"io"
	"iter"
	"sync"
	"sync/atomic"
	"time"

	"github.com/easelqueue/easel/picture"
	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/task"
)

// painter is a service whose answers a test decides and which counts what it is
// asked. As it comes it answers each call with one picture.
type painter struct {
	can     provider.Capabilities
	submit  func(ctx context.Context, c provider.Call) (provider.Answer, error)
	poll    func(ctx context.Context, n int) (provider.Answer, error) // n counts from 1
	cancel  func() error
	recover func(l provider.Lost) (provider.Answer, error)
	seen    func(r provider.Request) // what Prepare is given; may be nil

	submits, polls, cancels, recovers atomic.Int64

	mu    sync.Mutex
	calls []provider.Call
}

func newPainter() *painter {
	p := &painter{can: provider.Capabilities{MaxImages: 10, MaxInputs: 10, Seed: true, Steps: true, NegativePrompt: true}}
	p.submit = func(context.Context, provider.Call) (provider.Answer, error) { return drawn(pngOf(40, 30)), nil }
	p.poll = func(context.Context, int) (provider.Answer, error) {
		return provider.Answer{}, errors.New("nothing to poll")
	}
	p.cancel = func() error { return provider.Sync{}.Cancel(context.Background(), nil) }
	p.recover = func(provider.Lost) (provider.Answer, error) { return provider.CannotRecover() }
	return p
}

func (p *painter) Capabilities(string) provider.Capabilities { return p.can }

func (p *painter) Prepare(r provider.Request) (provider.Call, error) {
	if err := r.Check(task.MaxPrompt); err != nil {
		return provider.Call{}, err
	}
	if p.seen != nil {
		p.seen(r)
	}
	s := &provider.Settings{Given: r.Parameters}
	s.Enum("mood", "calm", "wild")
	if err := s.Err(); err != nil {
		return provider.Call{}, err
	}
	return provider.NewCall("/draw", r.Model, map[string]any{"prompt": r.Prompt, "n": r.Images})
}

func (p *painter) Submit(ctx context.Context, c provider.Call) (provider.Answer, error) {
	p.submits.Add(1)
	p.mu.Lock()
	p.calls = append(p.calls, c)
	p.mu.Unlock()
	return p.submit(ctx, c)
}

func (p *painter) Poll(ctx context.Context, handle json.RawMessage) (provider.Answer, error) {
	if string(handle) != `{"job":1}` {
		return provider.Answer{}, &task.Failure{Kind: task.Invalid, Executed: task.Executed, Message: "a strange handle: " + string(handle)}
	}
	return p.poll(ctx, int(p.polls.Add(1)))
}

func (p *painter) Cancel(context.Context, json.RawMessage) error {
	p.cancels.Add(1)
	return p.cancel()
}

func (p *painter) Recover(_ context.Context, l provider.Lost) (provider.Answer, error) {
	p.recovers.Add(1)
	return p.recover(l)
}

// prompts counts the calls by prompt.
func (p *painter) prompts() map[string]int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := make(map[string]int)
	for _, c := range p.calls {
		var body struct{ Prompt string }
		_ = json.Unmarshal(c.Body, &body)
		n[body.Prompt]++
	}
	return n
}

// drawn is the answer that holds these pictures.
func drawn(pictures ...[]byte) provider.Answer {
	a := provider.Answer{Done: true, RequestID: "req-1", HTTPStatus: 200, Raw: json.RawMessage(`{"model":"brush"}`)}
	for i, b := range pictures {
		a.Outputs = append(a.Outputs, provider.Output{Position: i, Bytes: b})
	}
	return a
}

// at is the answer that holds these addresses of pictures.
func at(urls ...string) provider.Answer {
	a := provider.Answer{Done: true}
	for i, u := range urls {
		a.Outputs = append(a.Outputs, provider.Output{Position: i, URL: u})
	}
	return a
}

// accepts makes the painter take jobs that poll answers.
func (p *painter) accepts(poll func(ctx context.Context, n int) (provider.Answer, error)) {
	p.submit = func(context.Context, provider.Call) (provider.Answer, error) { return working(0), nil }
	p.poll = poll
}

// working is the answer of a job that runs.
func working(percent int) provider.Answer {
	return provider.Answer{Handle: json.RawMessage(`{"job":1}`), JobID: "job-1", PollAfter: 500 * time.Millisecond, Progress: percent}
}

func fails(kind task.Kind, executed task.Execution) (provider.Answer, error) {
	return provider.Answer{}, &task.Failure{Kind: kind, Executed: executed, Message: "the painter says " + string(kind)}
}

// hangs makes the painter take calls and answer when the test says so. Each
// call is told on taken.
func (p *painter) hangs() (taken chan struct{}, answer chan provider.Answer) {
	taken, answer = make(chan struct{}, 100), make(chan provider.Answer, 100)
	p.submit = func(ctx context.Context, _ provider.Call) (provider.Answer, error) {
		taken <- struct{}{}
		select {
		case a := <-answer:
			return a, nil
		case <-ctx.Done():
			return fails(task.Timeout, task.Unknown)
		}
	}
	return taken, answer
}

// pngOf is a picture of that size.
func pngOf(w, h int) []byte {
	m := image.NewNRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			m.SetNRGBA(x, y, color.NRGBA{uint8(x), uint8(y), uint8(x ^ y), 255})
		}
	}
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// shelf is a picture store that can break.
type shelf struct {
	picture.Lister
	broken  atomic.Bool
	hanging atomic.Bool
	over    chan struct{} // closed when what hangs is to fail
}

func (s *shelf) giveUp() { close(s.over) }

func (s *shelf) Put(ctx context.Context, key string, r io.Reader, contentType string) error {
	if s.hanging.Load() {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-s.over:
			return errors.New("connection reset")
		}
	}
	if s.broken.Load() {
		return errors.New("no space left on device")
	}
	return s.Lister.Put(ctx, key, r, contentType)
}

func (s *shelf) All(ctx context.Context, prefix string) iter.Seq2[picture.Object, error] {
	if s.broken.Load() {
		return func(yield func(picture.Object, error) bool) {
			yield(picture.Object{}, errors.New("input/output error"))
		}
	}
	return s.Lister.All(ctx, prefix)
}

// drawsWhen lets each job be under way until it is ready, and drawn then.
func (p *painter) drawsWhen(ready *atomic.Bool) {
	p.accepts(func(context.Context, int) (provider.Answer, error) {
		if ready.Load() {
			return drawn(pngOf(40, 30)), nil
		}
		return working(0), nil
	})
}
