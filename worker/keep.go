package worker

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/easelqueue/easel/internal/crash"
	"github.com/easelqueue/easel/picture"
	"github.com/easelqueue/easel/picture/codec"
	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
)

// answered takes pictures that came with the answer into our storage, journals
// the answer, and keeps the rest. Bytes come first: an answer that says "see
// our storage" must be true. If storage does not take them they go into the
// journal itself, so that what was paid for outlives this process.
func (s *step) answered(ctx context.Context, ans provider.Answer) error {
	a := s.last
	if len(ans.Outputs) == 0 {
		return s.failed(ctx, &task.Failure{Kind: task.BadAnswer, Executed: task.Executed, Message: s.svc.Name + " answered without a picture",
			RequestID: ans.RequestID, HTTPStatus: ans.HTTPStatus})
	}
	s.price(ans) // before a picture turns out to be unusable: it was billed
	kept := s.storeBytes(ctx, ans.Outputs)
	a.State = task.AttemptAnswered
	if !json.Valid(ans.Raw) {
		ans.Raw = nil
	}
	text, err := json.Marshal(answer{answerVersion, ans.Outputs, ans.Raw})
	if err != nil {
		return s.failed(ctx, &task.Failure{Kind: task.Internal, Executed: task.Executed, Message: "the answer cannot be journalled: " + err.Error()})
	}
	a.Answer = string(text)
	err = s.persistPaid(ctx, func(ctx context.Context) error { return s.Tasks.Answer(ctx, s.t, a, ans.JobID) })
	if err != nil {
		return s.unsaved(ctx, err)
	}
	crash.At("answer journalled")
	s.tellLimiter(ctx, nil)
	return s.keep(ctx, answer{answerVersion, ans.Outputs, ans.Raw}, kept)
}

// storeBytes stores the pictures that came with the answer, puts keys in the
// place of their bytes and returns them by position. Nothing is journalled
// yet, so storage has to be quick: what it has not taken in time stays.
func (s *step) storeBytes(ctx context.Context, outputs []provider.Output) map[int]task.Result {
	kept := make(map[int]task.Result)
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
			out.Key, out.Bytes, kept[out.Position] = r.StorageKey, nil, r
		case errors.As(err, &bad):
			s.shelveStray(ctx, out.Content(), out, bad)
		default:
			s.log.Warn().Err(err).Msg("storage does not take a picture; the journal holds it")
		}
		s.unfile(out)
	}
	return kept
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

// keepAgain goes on with an answer from the journal.
func (s *step) keepAgain(ctx context.Context) error {
	var ans answer
	var head struct {
		Version int `json:"v"`
	}
	if json.Unmarshal([]byte(s.last.Answer), &head) == nil && head.Version > answerVersion {
		return s.leaveToNewer(ctx, provider.Newer("journalled answer", head.Version, answerVersion))
	}
	if err := json.Unmarshal([]byte(s.last.Answer), &ans); err != nil {
		return s.giveUp(ctx, &task.Failure{Kind: task.Internal, Message: "the journalled answer cannot be read: " + err.Error()})
	}
	s.log.Info().Int("attempt", s.last.Number).Msg("resumed: the pictures are being kept")
	return s.keep(ctx, ans, nil)
}

// keep brings every picture of the answer into our storage and saves the task.
// It may be repeated and never buys.
func (s *step) keep(ctx context.Context, ans answer, kept map[int]task.Result) error {
	crash.At("about to poll")
	c := collection{of: max(s.before+len(ans.Outputs), s.t.ImageCount), before: s.before}
	for i := range ans.Outputs {
		out := &ans.Outputs[i]
		var b brought
		if r, ok := kept[out.Position]; ok {
			b.results = []task.Result{r}
		} else {
			b = s.bring(ctx, out)
		}
		if b.err != nil && b.err.Kind == task.Storage {
			c.full = b.err
			break
		}
		c.add(out, b)
	}
	if err := s.noteCollected(ctx, ans, &c); err != nil {
		return s.unsaved(ctx, err)
	}
	if c.full != nil {
		return s.fail(ctx, c.full, nil) // the attempt stays answered, and the next try begins here
	}
	if c.waits != nil {
		pause, over := s.pauseBefore(ctx, c.waits)
		switch {
		case over == nil && s.stays(ctx, pause):
			return s.keep(ctx, ans, kept)
		case over == nil:
			return s.fetchLater(ctx, c.waits, pause)
		}
		c.missing(over)
	}
	s.collecting.over(s.last.ID)
	switch {
	case len(c.results) == 0 && c.bought:
		return s.giveUp(ctx, c.refused)
	case len(c.results) == 0:
		none := *c.refused
		none.Executed = task.Executed // the call was answered, whatever a single picture's failure says of itself
		return s.failed(ctx, &none)
	}
	s.last.ErrorMsg = strings.Join(c.warnings, "; ")
	return s.save(ctx, ans, c.results)
}

// save completes the task with what its last call has brought, or leaves it to the
// calls that are still to be made.
func (s *step) save(ctx context.Context, ans answer, results []task.Result) error {
	if s.left() > s.asked() {
		return s.keepPart(ctx, results)
	}
	owed, err := s.owed(ctx)
	if err != nil {
		return s.unsaved(ctx, err)
	}
	if owed != nil {
		return s.keepPart(ctx, results) // the next step finds nothing to draw, and ends the task
	}
	outcome, err := s.outcome(ctx, results)
	if err != nil {
		return s.unsaved(ctx, err)
	}
	outcome.APIResponse = string(ans.Raw)
	err = s.persist(ctx, func(ctx context.Context) error { return s.Tasks.Save(ctx, s.t, s.last, outcome) })
	if errors.Is(err, store.ErrFenced) {
		return s.keepLate(ctx, outcome)
	}
	if err != nil {
		return s.unsaved(ctx, err)
	}
	crash.At("row saved")
	s.log.Info().Int("pictures", len(results)).Dur("took", time.Since(s.last.SentAt)).Str("status", string(task.Completed)).Msg("completed")
	return nil
}

// keepLate keeps pictures whose task was taken away, unless it is gone altogether.
// They complete a task that is held over this very call.
func (s *step) keepLate(ctx context.Context, o store.Outcome) error {
	completed := false
	err := s.persist(ctx, func(ctx context.Context) (err error) {
		completed, err = s.Tasks.SaveLate(ctx, s.last, o)
		if err == nil {
			return nil
		}
		if _, gone := s.Tasks.Get(ctx, s.t.ID); errors.Is(gone, store.ErrNotFound) {
			return store.ErrFenced
		}
		return err
	})
	s.log.Info().Int("pictures", len(o.Results)).Bool("completed", completed).Msg("too late: the pictures are kept beside the task, or end its doubt")
	return s.unsavedOrNil(ctx, err)
}

// store checks a picture and puts it and its thumbnail under their keys. Patience
// is for storage alone: waiting for memory to decode is no fault of it.
func (s *step) store(ctx context.Context, r io.ReadSeeker, out *provider.Output, patience time.Duration) (task.Result, error) {
	r, err := s.annotated(r, out)
	if err != nil {
		return task.Result{}, err
	}
	checked, err := s.Checker.For(s.svc.Name).Check(ctx, r)
	if err != nil {
		return task.Result{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	base := fmt.Sprintf("%d/%d-%d", s.t.ID, s.last.ID, out.Position)
	key := base + "." + checked.Extension
	if key != out.Key { // else it is there already
		if _, err := r.Seek(0, io.SeekStart); err != nil {
			return task.Result{}, err
		}
		if err := s.Pictures.Put(ctx, key, r, checked.ContentType); err != nil {
			return task.Result{}, err
		}
	}
	crash.At("picture stored")
	result := s.result(out, key)
	result.ContentType, result.FileSize, result.SHA256 = checked.ContentType, checked.Size, checked.SHA256
	result.Width, result.Height, result.ThumbnailKey = checked.Width, checked.Height, s.thumbnail(ctx, base, checked)
	return result, nil
}

// result is the picture under that key, but for what its bytes say.
func (s *step) result(out *provider.Output, key string) task.Result {
	at := s.Pictures.Locate(key)
	return task.Result{
		TaskID: s.t.ID, AttemptID: s.last.ID, Position: s.before + out.Position, GeneratedImageURL: at.URL, SourceURL: cmp.Or(out.Source, provider.Unsigned(out.URL)),
		Model: cmp.Or(s.t.Model, s.svc.DefaultModel), StorageKey: key, Seed: out.Seed, RevisedPrompt: out.RevisedPrompt,
		LocalPath: at.LocalPath, ObjectURL: at.ObjectURL,
	}
}

// annotated returns the picture with how it came about written into it, if that is
// wanted. What is checked, summed and stored is then this.
func (s *step) annotated(r io.ReadSeeker, out *provider.Output) (io.ReadSeeker, error) {
	if !s.Annotate {
		return r, nil
	}
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	content, err := io.ReadAll(io.LimitReader(r, s.Checker.Limits.WithDefaults().Bytes+1)) // one more: the check refuses it
	if err != nil {
		return nil, err
	}
	n := codec.Notes{Prompt: s.t.Prompt, Provider: s.svc.Name, Model: cmp.Or(s.t.Model, s.svc.DefaultModel), Task: strconv.FormatInt(s.t.ID, 10)}
	switch {
	case out.Seed != nil:
		n.Seed = strconv.FormatInt(*out.Seed, 10)
	case s.t.Seed != nil:
		n.Seed = strconv.FormatInt(*s.t.Seed, 10)
	}
	return bytes.NewReader(codec.Annotate(content, n)), nil
}

// thumbnail stores the small pictures and returns the smallest one's key, from which
// the other's follows. The task does not fail for want of them.
func (s *step) thumbnail(ctx context.Context, base string, c codec.Checked) string {
	if c.ThumbnailErr == nil && c.Width <= c.Thumbnail.Width && c.Height <= c.Thumbnail.Height {
		return base + "." + c.Extension // it is small already
	}
	key := picture.ThumbnailKey(base, c.Thumbnail.Extension)
	err := c.ThumbnailErr
	if err == nil && picture.HasPreview(c.Width, c.Height) {
		err = s.Pictures.Put(ctx, picture.PreviewKey(key), bytes.NewReader(c.Preview.Bytes), c.Preview.ContentType)
	}
	if err == nil {
		err = s.Pictures.Put(ctx, key, bytes.NewReader(c.Thumbnail.Bytes), c.Thumbnail.ContentType)
	}
	if err != nil {
		s.log.Warn().Err(err).Msg("no thumbnail")
		return ""
	}
	return key
}

// price freezes the cost of the attempt as it is known now.
func (s *step) price(ans provider.Answer) {
	pictures := 0
	for _, out := range ans.Outputs {
		if out.Err == nil {
			pictures += max(out.Tiles*out.Tiles, 1)
		}
	}
	s.charge(ans.Cost, pictures, ans.Usage)
}

// charge notes what the attempt costs: money, or where the service did not say, what the
// price table does.
func (s *step) charge(money *task.Money, pictures int, used *provider.Usage) {
	a, model := s.last, cmp.Or(s.t.Model, s.svc.DefaultModel)
	if money == nil {
		money = s.svc.Prices.Cost(model, s.t.Size, s.t.Quality, pictures, used, a.SentAt)
	}
	if money == nil && s.account.Provider.Capabilities(model).Free {
		money = &task.Money{}
	}
	if money != nil {
		a.CostMicros, a.Currency, a.PriceVersion = &money.Micros, money.Currency, money.Version
	}
}
