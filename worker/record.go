package worker

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"

	"github.com/easelqueue/easel/internal/crash"
	"github.com/easelqueue/easel/picture/codec"
	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/queue"
	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
)

// record journals what the provider said, at once: the handle of its job, or its answer.
func (s *step) record(ctx context.Context) (phase, queue.Verdict) {
	a, ans := s.last, s.said
	if len(ans.Notes) > 0 {
		s.log.Warn().Strs("unread", ans.Notes).Msg("part of the answer was not as the service documents it")
	}
	// Those of the call that was paid for stay; what came to them since were looks.
	a.ProviderRequestID = cmp.Or(a.ProviderRequestID, ans.RequestID)
	if a.HTTPStatus == nil && ans.HTTPStatus != 0 {
		a.HTTPStatus = &ans.HTTPStatus
	}
	var e ending
	next := polling
	if ans.Done {
		next, e = keeping, s.recordAnswer(ctx, ans)
	} else {
		e = s.recordHandle(ctx, ans)
	}
	if e != nil {
		return s.endWith(e)
	}
	crash.At("answer journalled")
	s.tellLimiter(ctx, nil)
	return next, none
}

// recordHandle journals the handle of a job that runs. It returns how the step ends if it
// cannot go on with it.
func (s *step) recordHandle(ctx context.Context, ans provider.Answer) ending {
	a := s.last
	handle := cmp.Or(string(ans.Handle), a.Handle)
	if handle == "" {
		return callFailed{&task.Failure{Kind: task.BadAnswer, Executed: task.Unknown, RequestID: ans.RequestID, HTTPStatus: ans.HTTPStatus,
			Message: s.svc.Name + " took the job and did not say how to ask after it"}}
	}
	a.State, a.Handle = task.AttemptAccepted, handle
	if err := s.recordPaid(ctx, store.Accepted{Held: s.t.Token(), Attempt: *a, JobID: ans.JobID}); err != nil {
		return unwritten{err}
	}
	return nil
}

// recordAnswer takes pictures that came with the answer into our storage and journals
// the answer. Bytes come first: an answer that says "see our storage" must be true. If
// storage does not take them they go into the journal itself, so that what was paid for
// outlives this process. It returns how the step ends if it cannot go on.
func (s *step) recordAnswer(ctx context.Context, ans provider.Answer) ending {
	a := s.last
	if len(ans.Outputs) == 0 {
		return callFailed{&task.Failure{Kind: task.BadAnswer, Executed: task.Executed, Message: s.svc.Name + " answered without a picture",
			RequestID: ans.RequestID, HTTPStatus: ans.HTTPStatus}}
	}
	s.price(ans) // before a picture turns out to be unusable: it was billed
	s.stored = s.storeBytes(ctx, ans.Outputs)
	if !json.Valid(ans.Raw) {
		ans.Raw = nil
	}
	if err := s.setAnswer(ans.Outputs, ans.Raw); err != nil {
		return callFailed{&task.Failure{Kind: task.Internal, Executed: task.Executed, Message: "the answer cannot be journalled: " + err.Error()}}
	}
	if err := s.recordPaid(ctx, store.Answered{Held: s.t.Token(), Attempt: *a, JobID: ans.JobID}); err != nil {
		return unwritten{err}
	}
	return nil
}

// storeBytes stores the pictures that came with the answer, puts keys in the
// place of their bytes and returns them by position. Nothing is journalled
// yet, so storage has to be quick: what it has not taken in time stays.
func (s *step) storeBytes(ctx context.Context, outputs []provider.Output) map[int]task.Result {
	stored := make(map[int]task.Result)
	for i := range outputs {
		out := &outputs[i]
		content := out.Content()
		if content == nil || out.Tiles > 1 {
			s.unfile(out) // a grid stays in the journal until it is cut
			continue
		}
		r, err := s.store(ctx, content, out, storeTimeout)
		var bad *codec.Error
		switch {
		case err == nil:
			out.Key, out.Bytes, stored[out.Position] = r.StorageKey, nil, r
		case errors.As(err, &bad):
			s.storeRaw(ctx, out.Content(), out, bad)
		default:
			s.log.Warn().Err(err).Msg("storage does not take a picture; the journal holds it")
		}
		s.unfile(out)
	}
	return stored
}

// unfile gives the file of a picture back, which the journal cannot name. A picture that
// the disk has lost is missing, and the others of its answer are kept.
func (s *step) unfile(out *provider.Output) {
	if err := out.Unfile(); err != nil {
		s.log.Error().Err(err).Msg("a picture that came with an answer cannot be read back")
		out.File, out.Err = nil, &task.Failure{Kind: task.BadAnswer, Executed: task.Executed, Cause: err, Detail: err.Error(),
			Message: "the picture came with the answer, storage did not take it, and the disk of EASEL_DATA does not give it back"}
	}
}

// price freezes the cost of the attempt as it is known now.
func (s *step) price(ans provider.Answer) {
	pictures := 0
	for _, out := range ans.Outputs {
		if out.Err == nil {
			pictures += out.Pictures()
		}
	}
	s.charge(ans.Cost, pictures, ans.Usage)
}

// charge notes what the attempt costs: money, or where the service did not say, what its
// price table does.
func (s *step) charge(money *task.Money, pictures int, used *provider.Usage) {
	if money == nil {
		money = s.cost(pictures, used)
	}
	if money != nil {
		a := s.last
		a.CostMicros, a.Currency, a.PriceVersion = &money.Micros, money.Currency, money.Version
	}
}

// cost is what so many pictures of the last attempt cost by the service's price table; nil if
// that does not say, or is not that of the call.
func (s *step) cost(pictures int, used *provider.Usage) *task.Money {
	if s.last.Provider != s.svc.Name {
		return nil
	}
	model, known := s.model()
	if known || !s.svc.Prices.ByModel() {
		if money := s.svc.Prices.Cost(model, s.t.Size, s.t.Quality, pictures, used, s.last.SentAt); money != nil {
			return money
		}
	}
	if s.account.Provider != nil && s.can(s.account.Provider).Free {
		return &task.Money{}
	}
	return nil
}
