package simulation

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/task"
)

// adapter is how a process reaches the fake provider. The class says what the service
// gives us against paying twice:
//
//	K  it honours our key: the same key is the same job, billed once
//	C  it can look up our key afterwards
//	A  it works on, and only it knows the job's id
//	S  it answers in the call
type adapter struct {
	w           *world
	p           *process
	name, class string
	Key         provider.Secret
}

func (a *adapter) Capabilities(string) provider.Capabilities {
	keyed := a.class == "idempotent" || a.class == "lookup"
	return provider.Capabilities{Async: a.class != "sync", MaxImages: 1, Cancel: a.class != "sync", Recover: keyed}
}

func (a *adapter) Prepare(r provider.Request) (provider.Call, error) {
	return provider.NewCall("/draw", r.Model, map[string]any{"prompt": r.Prompt})
}

func failure(kind task.Kind, executed task.Execution, message string) (provider.Answer, error) {
	return provider.Answer{}, &task.Failure{Kind: kind, Executed: executed, Message: message}
}

// Submit dials, sends, waits and hears, and may be killed or frozen between
// each of these.
func (a *adapter) Submit(ctx context.Context, c provider.Call) (provider.Answer, error) {
	if err := a.reach(ctx, "submit"); err != nil {
		return failure(task.Unavailable, task.NotExecuted, err.Error())
	}
	var body struct{ Prompt string }
	if err := json.Unmarshal(c.Body, &body); err != nil {
		return failure(task.Internal, task.NotExecuted, err.Error())
	}
	s, fault := a.w.fakeProvider, a.w.fakeProvider.nextFault()
	a.w.book.met(c.Key, fault)
	switch fault {
	case refusedCall:
		return provider.Answer{}, a.carry(ctx, c.Body, false, refusesToDial)
	case tooMany:
		s.refuse(a.class, a.name, c.Key, body.Prompt)
		return provider.Answer{}, a.carry(ctx, c.Body, false, says(http.StatusTooManyRequests, ""))
	case busy:
		s.refuse(a.class, a.name, c.Key, body.Prompt)
		return provider.Answer{}, a.carry(ctx, c.Body, false, says(http.StatusServiceUnavailable, "busy"))
	case ownFault:
		s.refuse(a.class, a.name, c.Key, body.Prompt)
		return provider.Answer{}, a.carry(ctx, c.Body, false, says(http.StatusInternalServerError, "own fault"))
	case badGateway:
		s.refuse(a.class, a.name, c.Key, body.Prompt)
		return provider.Answer{}, a.carry(ctx, c.Body, false, shows(http.StatusBadGateway))
	}
	job := s.order(a.class, a.name, c.Key, body.Prompt, fault)
	switch fault {
	case paid500:
		return provider.Answer{}, a.carry(ctx, c.Body, false, says(http.StatusInternalServerError, "internal"))
	case cutAnswer:
		return provider.Answer{}, a.carry(ctx, c.Body, false, breaksOff)
	case hangs:
		return provider.Answer{}, a.carry(ctx, c.Body, false, neverAnswers)
	}
	wait := a.w.fakeProvider.latency()
	if a.class == "sync" {
		wait = time.Until(job.ready)
	}
	err := sleep(ctx, wait)
	if lost := a.heard(ctx, "submit"); lost != nil || err != nil {
		return failure(task.Timeout, task.Unknown, "no answer: "+errors.Join(lost, err).Error())
	}
	if a.class == "sync" {
		return a.drawn(*job)
	}
	return working(*job), nil
}

// reach is the way of a request to the fake provider. An error means that it was never sent.
func (a *adapter) reach(ctx context.Context, op string) error {
	hindered := a.w.meet(a.p, false, op)
	if err := a.p.pass(); err != nil {
		return err
	}
	if hindered != nil {
		return hindered
	}
	if err := sleep(ctx, a.w.fakeProvider.latency()); err != nil {
		return err
	}
	a.w.meet(a.p, false, op+" dialled")
	if err := a.p.pass(); err != nil {
		return err
	}
	return ctx.Err()
}

// heard is the way of an answer back. A process that slept longer than its call
// may take finds that its time is over.
func (a *adapter) heard(ctx context.Context, op string) error {
	lost := a.w.meet(a.p, true, op)
	if err := a.p.pass(); err != nil {
		return err
	}
	return errors.Join(lost, ctx.Err())
}

// state is what a poll says of a job.
func (a *adapter) state(j job) (provider.Answer, error) {
	switch {
	case j.cancelled:
		return failure(task.Stopped, task.Executed, "the job was cancelled")
	case time.Now().Before(j.ready):
		return working(j), nil
	}
	return a.drawn(j)
}

// drawn is the end of a job: the picture in the answer of a call, its address otherwise.
func (a *adapter) drawn(j job) (provider.Answer, error) {
	if j.fails {
		return failure(task.ProviderError, task.Executed, "the model broke")
	}
	out := provider.Output{URL: "http://provider.example/" + j.id + "?signature=" + signature}
	if a.class == "sync" {
		out = provider.Output{Bytes: j.picture}
	}
	return provider.Answer{Done: true, Outputs: []provider.Output{out}, JobID: j.id, RequestID: "req-" + j.id, HTTPStatus: 200}, nil
}

func working(j job) provider.Answer {
	handle, _ := json.Marshal(map[string]string{"job": j.id})
	return provider.Answer{Handle: handle, JobID: j.id, PollAfter: 2 * time.Second}
}

func (a *adapter) Poll(ctx context.Context, handle json.RawMessage) (provider.Answer, error) {
	var h struct{ Job string }
	if err := json.Unmarshal(handle, &h); err != nil {
		return failure(task.Internal, task.Executed, "a strange handle")
	}
	if err := a.ask(ctx, "poll"); err != nil {
		return unasked(err)
	}
	a.w.book.enter(ledgerEntry{Event: "poll", Provider: a.name, Class: a.class, Job: h.Job})
	j, ok := a.w.fakeProvider.job(h.Job)
	if !ok {
		return failure(task.Expired, task.Executed, "there is no such job")
	}
	if err := a.heard(ctx, "poll"); err != nil {
		return failure(task.Unavailable, task.NotExecuted, err.Error())
	}
	return a.state(j)
}

// ask is a request that costs nothing.
func (a *adapter) ask(ctx context.Context, op string) error {
	if err := a.reach(ctx, op); err != nil {
		return err
	}
	if left, _ := a.w.outage(&a.w.noPolls); left > 0 {
		return a.carry(ctx, nil, true, says(http.StatusBadGateway, ""))
	}
	return nil
}

// unasked is the failure of a question that was not answered.
func unasked(err error) (provider.Answer, error) {
	var f *task.Failure
	if errors.As(err, &f) {
		return provider.Answer{}, f
	}
	return failure(task.Unavailable, task.NotExecuted, err.Error())
}

func (a *adapter) Cancel(ctx context.Context, handle json.RawMessage) error {
	var h struct{ Job string }
	if err := json.Unmarshal(handle, &h); err != nil {
		return err
	}
	if err := a.ask(ctx, "cancel call"); err != nil {
		_, err = unasked(err)
		return err
	}
	a.w.fakeProvider.cancel(h.Job)
	a.w.book.enter(ledgerEntry{Event: "cancel", Provider: a.name, Class: a.class, Job: h.Job})
	return nil
}

func (a *adapter) Recover(ctx context.Context, l provider.Lost) (provider.Answer, error) {
	if a.class != "idempotent" && a.class != "lookup" {
		return provider.CannotRecover()
	}
	if err := a.ask(ctx, "recover"); err != nil {
		return unasked(err)
	}
	j, ok := a.w.fakeProvider.jobOf(l.Key)
	a.w.book.enter(ledgerEntry{Event: "recover", Provider: a.name, Class: a.class, Key: l.Key, Job: j.id, Tag: j.tag})
	if err := a.heard(ctx, "recover"); err != nil {
		return failure(task.Unavailable, task.NotExecuted, err.Error())
	}
	if !ok {
		return failure(task.Expired, task.NotExecuted, "no job has this key")
	}
	return a.state(j)
}

// RoundTrip serves the downloads of the process.
func (a *adapter) RoundTrip(r *http.Request) (*http.Response, error) {
	err := a.ask(r.Context(), "download")
	left, trouble := a.w.outage(&a.w.noDownloads)
	if left <= 0 {
		trouble = ""
	}
	if err == nil && trouble == downloadsFail {
		err = errLost
	}
	if err != nil {
		return nil, fmt.Errorf("GET %s: %w", r.URL, err)
	}
	response := &http.Response{StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r, Header: http.Header{}, ContentLength: -1}
	j, ok := a.w.fakeProvider.job(strings.TrimPrefix(r.URL.Path, "/"))
	if !ok || trouble == unknownYet {
		response.StatusCode, j.picture = http.StatusNotFound, nil
	}
	if trouble == halves {
		j.picture = j.picture[:len(j.picture)/2]
	}
	response.Body = io.NopCloser(bytes.NewReader(j.picture))
	return response, a.heard(r.Context(), "download")
}
