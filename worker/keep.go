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
		return s.failed(ctx, &task.Failure{Kind: task.BadAnswer, Executed: task.Yes, Message: s.svc.Name + " answered without a picture",
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
		return s.failed(ctx, &task.Failure{Kind: task.Internal, Executed: task.Yes, Message: "the answer cannot be journalled: " + err.Error()})
	}
	a.Answer = string(text)
	err = s.persistPaid(ctx, func(ctx context.Context) error { return s.Tasks.Answer(ctx, s.t, a, ans.JobID) })
	if err != nil {
		return s.unsaved(ctx, err)
	}
	crash.At("K5")
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
		if len(out.Bytes) == 0 || out.Tiles > 1 {
			continue // a grid stays in the journal until it is cut
		}
		r, err := s.store(ctx, bytes.NewReader(out.Bytes), out, storeTimeout)
		var bad *picture.Error
		switch {
		case err == nil:
			out.Key, out.Bytes, kept[out.Position] = r.StorageKey, nil, r
		case errors.As(err, &bad):
			out.Err, out.Bytes = unusable(bad), nil
		default:
			s.log.Warn().Err(err).Msg("storage does not take a picture; the journal holds it")
		}
	}
	return kept
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
		return s.failed(ctx, &task.Failure{Kind: task.Internal, Executed: task.Yes, Message: "the journalled answer cannot be read: " + err.Error()})
	}
	s.log.Info().Int("attempt", s.last.Number).Msg("resumed: the pictures are being kept")
	return s.keep(ctx, ans, nil)
}

// keep brings every picture of the answer into our storage and saves the task.
// It may be repeated and never buys.
func (s *step) keep(ctx context.Context, ans answer, kept map[int]task.Result) error {
	var results []task.Result
	var refused *task.Failure
	var warnings []string
	crash.At("K6")
	for i := range ans.Outputs {
		out := &ans.Outputs[i]
		var brought []task.Result
		var err error
		if r, ok := kept[out.Position]; ok {
			brought = []task.Result{r}
		} else {
			brought, err = s.bring(ctx, out)
		}
		f := task.AsFailure(err)
		switch {
		case err == nil:
			results = append(results, brought...)
			continue
		case f.Kind == task.Storage:
			return s.fail(ctx, f, nil) // the attempt stays answered, and the next try begins here
		case refused == nil:
			refused = f
		}
		warnings = append(warnings, fmt.Sprintf("picture %d of %d is missing: %s", s.settled+out.Position+1, max(s.settled+len(ans.Outputs), s.t.ImageCount), f.Error()))
	}
	if len(results) == 0 {
		none := *refused
		none.Executed = task.Yes // the call was answered, whatever a single picture's failure says of itself
		return s.failed(ctx, &none)
	}
	s.last.ErrorMsg = strings.Join(warnings, "; ")
	if s.left() > s.asked() {
		return s.keepPart(ctx, results)
	}
	outcome, err := s.outcome(ctx, results)
	if err != nil {
		return s.unsaved(ctx, err)
	}
	outcome.APIResponse = string(ans.Raw)
	err = s.persist(ctx, func(ctx context.Context) error { return s.Tasks.Save(ctx, s.t, s.last, outcome) })
	if errors.Is(err, store.ErrFenced) {
		return s.keepLate(ctx, results)
	}
	if err != nil {
		return s.unsaved(ctx, err)
	}
	crash.At("K10")
	s.log.Info().Int("pictures", len(results)).Dur("took", time.Since(s.last.SentAt)).Str("status", string(task.Completed)).Msg("completed")
	return nil
}

// keepLate keeps pictures whose task was taken away, unless it is gone altogether.
func (s *step) keepLate(ctx context.Context, results []task.Result) error {
	s.log.Info().Int("pictures", len(results)).Msg("too late: the pictures are kept beside the task")
	return s.unsavedOrNil(ctx, s.persist(ctx, func(ctx context.Context) error {
		err := s.Tasks.KeepLate(ctx, s.last, results)
		if err == nil {
			return nil
		}
		if _, gone := s.Tasks.Get(ctx, s.t.ID); errors.Is(gone, store.ErrNotFound) {
			return store.ErrFenced
		}
		return err
	}))
}

// bring gets one picture from wherever the answer says it is. Failures of kind
// Storage may be tried again; all others are final for this picture. A grid gives
// as many results as it has tiles.
func (s *step) bring(ctx context.Context, out *provider.Output) ([]task.Result, error) {
	if out.Err != nil {
		return nil, out.Err
	}
	ctx, cancel := context.WithTimeout(ctx, keepTimeout)
	defer cancel()
	file, err := s.open(ctx, out)
	if err != nil && task.AsFailure(err).Kind == task.Expired && s.renew(ctx, out) {
		file, err = s.open(ctx, out)
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	results, err := s.shelve(ctx, file, out)
	var bad *picture.Error
	if errors.As(err, &bad) {
		return nil, unusable(bad)
	}
	if err != nil {
		return nil, later("our storage does not take the picture", err)
	}
	return results, nil
}

// shelve stores a picture, or the tiles of a grid one by one: cut again they are the
// same, so that a crash among them is no matter.
func (s *step) shelve(ctx context.Context, file io.ReadSeeker, out *provider.Output) ([]task.Result, error) {
	if out.Tiles < 2 {
		r, err := s.store(ctx, file, out, keepTimeout)
		return []task.Result{r}, err
	}
	tiles, err := s.Checker.Split(ctx, file, out.Tiles)
	if err != nil {
		return nil, err
	}
	results := make([]task.Result, 0, len(tiles))
	for i, tile := range tiles {
		piece := *out
		piece.Position, piece.Key = out.Position*len(tiles)+i, ""
		r, err := s.store(ctx, bytes.NewReader(tile), &piece, keepTimeout)
		if err != nil {
			return nil, err
		}
		results = append(results, r)
	}
	return results, nil
}

// store checks a picture and puts it and its thumbnail under their keys. Patience
// is for storage alone: waiting for memory to decode is no fault of it.
func (s *step) store(ctx context.Context, r io.ReadSeeker, out *provider.Output, patience time.Duration) (task.Result, error) {
	r, err := s.annotated(r, out)
	if err != nil {
		return task.Result{}, err
	}
	checked, err := s.Checker.Check(ctx, r)
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
	crash.At("K9")
	at := s.Pictures.Locate(key)
	return task.Result{
		TaskID: s.t.ID, AttemptID: s.last.ID, Position: s.settled + out.Position, GeneratedImageURL: at.URL, SourceURL: provider.Unsigned(out.URL),
		Model: cmp.Or(s.t.Model, s.svc.DefaultModel), ContentType: checked.ContentType, FileSize: checked.Size, Width: checked.Width, Height: checked.Height,
		SHA256: checked.SHA256, StorageKey: key, ThumbnailKey: s.thumbnail(ctx, base, checked), Seed: out.Seed,
		RevisedPrompt: out.RevisedPrompt, LocalPath: at.LocalPath, ObjectURL: at.ObjectURL,
	}, nil
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
	n := picture.Notes{Prompt: s.t.Prompt, Provider: s.svc.Name, Model: cmp.Or(s.t.Model, s.svc.DefaultModel), Task: strconv.FormatInt(s.t.ID, 10)}
	switch {
	case out.Seed != nil:
		n.Seed = strconv.FormatInt(*out.Seed, 10)
	case s.t.Seed != nil:
		n.Seed = strconv.FormatInt(*s.t.Seed, 10)
	}
	return bytes.NewReader(picture.Annotate(content, n)), nil
}

// thumbnail stores the small pictures and returns the smallest one's key, from which
// the other's follows. The task does not fail for want of them.
func (s *step) thumbnail(ctx context.Context, base string, c picture.Checked) string {
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
	a, pictures := s.last, 0
	for _, out := range ans.Outputs {
		if out.Err == nil {
			pictures += max(out.Tiles*out.Tiles, 1)
		}
	}
	model := cmp.Or(s.t.Model, s.svc.DefaultModel)
	money := ans.Cost
	if money == nil {
		money = s.svc.Prices.Cost(model, s.t.Size, s.t.Quality, pictures, ans.Usage, a.SentAt)
	}
	if money == nil && s.account.Provider.Capabilities(model).Free {
		money = &task.Money{}
	}
	if money != nil {
		a.CostMicros, a.Currency, a.PriceVersion = &money.Micros, money.Currency, money.Version
	}
}
