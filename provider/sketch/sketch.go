// Package sketch is the provider that is always there: it draws pictures from
// their prompt, in this process, without a network and for free. It also acts
// as a slow or failing service as its parameters ask, so that everything around
// it can be tried out. The parameters are:
//
//	mode         sync or async; async if there is a delay, otherwise sync
//	delay        how long drawing takes, up to 1h
//	late         how much longer it takes than its progress promises, up to 1h
//	fail         failures of the first attempts: "rate_limited:1,unavailable:2";
//	             a kind without a number fails always
//	retry_after  the wait that rate_limited and unavailable ask for, up to 1h
//	moderate     true refuses the request after it was carried out
//	fail_images  positions of pictures that fail alone: "0,2"
//	empty        true answers without a picture
//	dot          true answers with one grey pixel instead of drawing
package sketch

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/easelqueue/easel/picture/codec"
	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/task"
)

// Endpoint is what calls of this provider name as their endpoint. Nothing is sent there.
const Endpoint = "sketch:draw"

// Bounds of the service.
const (
	maxImages = 15
	maxInputs = 16
	maxInput  = 15 << 20 // bytes of one input picture

	defaultMemory = 512 << 20
	firstPoll     = 5 * time.Second // the longest wait it asks for between polls
)

// Provider is a provider.Provider. Its zero value is ready to use; its fields
// are set before its first use. Everything it knows of a job is in the job's
// handle. A lost call may be made again: it costs nothing and draws the same.
type Provider struct {
	provider.Sync // it has nothing to look up

	Now    func() time.Time // default time.Now
	Memory int64            // bytes of pictures being drawn at one time, default 512 MiB

	once   sync.Once
	memory *semaphore.Weighted
	inputs codec.Checker
}

var _ provider.Provider = (*Provider)(nil)

// Capabilities are the same for every model; a model's name only changes what
// is drawn.
func (p *Provider) Capabilities(string) provider.Capabilities {
	return provider.Capabilities{
		Async: true, MaxImages: maxImages, MaxInputs: maxInputs, Sizes: sizes,
		NegativePrompt: true, Seed: true, Steps: true, CFGScale: true, Quality: true, Style: true, Watermark: true,
		Cancel: true, Free: true,
	}
}

// Submit draws, or begins a job if the call asks for one. Where a call asks for
// a slow service, Submit waits in its place, because there is no service that
// could; the wait ends with ctx.
func (p *Provider) Submit(ctx context.Context, c provider.Call) (provider.Answer, error) {
	var j job
	if err := json.Unmarshal(c.Body, &j); err != nil || j.Version != version {
		return provider.Answer{}, unreadable("call", j.Version, err)
	}
	if ctx.Err() != nil {
		return provider.Answer{}, &task.Failure{Kind: task.Unavailable, Executed: task.NotExecuted, Cause: context.Cause(ctx),
			Message: "the call was given up before it began"}
	}
	f := j.failure(c.Number)
	if f != nil && !(j.Async && f.Executed == task.Executed) {
		return provider.Answer{}, f
	}
	h := handle{Version: version, Key: cmp.Or(c.Key, c.Hash), Number: c.Number, Started: p.now(), Job: j}
	if j.Async {
		return h.accepted()
	}
	if err := wait(ctx, j.Delay+j.Late); err != nil {
		return provider.Answer{}, interrupted(ctx, err, task.Unknown)
	}
	return p.finish(ctx, h, task.Unknown)
}

// Poll draws once the job's time has come. It needs the handle alone and draws
// the same in every process and each time.
func (p *Provider) Poll(ctx context.Context, raw json.RawMessage) (provider.Answer, error) {
	var h handle
	if err := json.Unmarshal(raw, &h); err != nil || h.Version != version {
		return provider.Answer{}, unreadable("handle", h.Version, err)
	}
	if left := h.left(p.now()); left > 0 {
		return provider.Answer{Handle: raw, JobID: h.Key, RequestID: h.Key, PollAfter: min(left, firstPoll), Progress: h.progress(p.now())}, nil
	}
	if f := h.Job.failure(h.Number); f != nil {
		return provider.Answer{}, f
	}
	return p.finish(ctx, h, task.NotExecuted)
}

// Cancel always works, and the job has ended with it: a job is its handle, and nobody draws
// what nobody polls.
func (p *Provider) Cancel(context.Context, json.RawMessage) error {
	return &task.Failure{Kind: task.Stopped, Executed: task.Executed, Message: "the job was cancelled"}
}

// finish draws and answers. Executed is what a failure says if ctx ends.
func (p *Provider) finish(ctx context.Context, h handle, executed task.Execution) (provider.Answer, error) {
	var outputs []provider.Output
	var err error
	if !h.Job.Empty {
		outputs, err = p.draw(ctx, h.Job)
	}
	if err != nil && ctx.Err() != nil {
		return provider.Answer{}, interrupted(ctx, err, executed)
	}
	if err != nil {
		return provider.Answer{}, &task.Failure{Kind: task.Internal, Executed: task.NotExecuted, Message: err.Error(), Cause: err}
	}
	raw, err := json.Marshal(h.Job.report())
	if err != nil {
		return provider.Answer{}, &task.Failure{Kind: task.Internal, Executed: task.NotExecuted, Message: err.Error(), Cause: err}
	}
	return provider.Answer{Done: true, Outputs: outputs, JobID: h.Key, RequestID: h.Key, Progress: 100, Raw: raw,
		Cost: &task.Money{Currency: "USD", Version: "free"}}, nil
}

func (p *Provider) now() time.Time {
	if p.Now == nil {
		return time.Now()
	}
	return p.Now()
}

// wait returns after d, or with ctx's reason.
func wait(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// interrupted says what the end of ctx means: time ran out, or we gave up.
func interrupted(ctx context.Context, err error, executed task.Execution) *task.Failure {
	f := &task.Failure{Kind: task.Timeout, Executed: executed, Message: "the picture was not ready in time", Cause: err}
	if !errors.Is(ctx.Err(), context.DeadlineExceeded) {
		f.Kind, f.Message = task.Unavailable, "the call was given up on our side"
	}
	return f
}

func unreadable(what string, v int, err error) *task.Failure {
	if err == nil && v > version {
		return provider.Newer("sketch "+what, v, version)
	}
	return &task.Failure{Kind: task.Internal, Executed: task.NotExecuted, Cause: err, Message: fmt.Sprintf("the sketch %s is not JSON of this program", what)}
}
