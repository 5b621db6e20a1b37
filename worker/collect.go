package worker

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/easelqueue/easel/picture"
	"github.com/easelqueue/easel/picture/codec"
	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/task"
)

// What was paid for is collected until it is in our storage, until the addresses are
// known to be dead, or until a person decides otherwise. Collecting never buys, spends
// no try of the task, and holds no place while it waits: the row waits instead.

const (
	firstPause = time.Second      // before a picture that is not there is fetched again; grows with the time
	pauseCap   = 10 * time.Minute // the longest
	settling   = 2 * time.Minute  // for as long a service may serve a file that is damaged
)

// brought is what became of one picture of an answer.
type brought struct {
	results []task.Result // more than one of a grid
	stray   *task.RawFile // its bytes, as they came: they are no picture for us
	err     *task.Failure // why there is no result
	again   bool          // it may be there later
	moved   bool          // the output says something new of where it lies
	warning string        // of a result that is not as it should be
}

// collection is what has been brought of an answer so far.
type collection struct {
	before, of int // pictures of the task's earlier calls, and of all
	results    []task.Result
	strays     []task.RawFile
	warnings   []string
	refused    *task.Failure // the first failure
	waits      *task.Failure // the first that may pass
	full       *task.Failure // why our storage does not take what comes next
	bought     bool          // something was drawn that is not among the results
	moved      bool
}

func (c *collection) add(out *provider.Output, b brought) {
	c.results = append(c.results, b.results...)
	c.moved = c.moved || b.moved
	if b.stray != nil {
		c.strays = append(c.strays, *b.stray)
	}
	if b.warning != "" {
		c.warnings = append(c.warnings, fmt.Sprintf("picture %d of %d %s", c.before+out.Position+1, c.of, b.warning))
	}
	if b.err == nil {
		return
	}
	c.bought = c.bought || out.Err == nil
	if c.waits == nil && b.again {
		c.waits = b.err
	}
	if c.refused == nil {
		c.refused = b.err
	}
	c.warnings = append(c.warnings, fmt.Sprintf("picture %d of %d is missing: %s", c.before+out.Position+1, c.of, b.err.Error()))
}

// missing gives up what was waited for.
func (c *collection) missing(over *task.Failure) {
	if c.refused == c.waits {
		c.refused = over
	}
}

// straysWith are the strays of the answer, given those that were known before: what was not
// looked at this time lies there all the same, and a whole picture takes the place of its half.
func (c *collection) straysWith(before []task.RawFile) []task.RawFile {
	all := slices.Clone(c.strays)
	for _, k := range before {
		again := func(now task.RawFile) bool { return now.StorageKey == k.StorageKey }
		whole := func(r task.Result) bool { return r.Position == k.Position }
		if !slices.ContainsFunc(all, again) && !slices.ContainsFunc(c.results, whole) {
			all = append(all, k)
		}
	}
	return all
}

// noteCollected journals how far an answer has been collected that is not saved at once:
// what is in storage need not be fetched again, and rows name all that lies there.
func (s *step) noteCollected(ctx context.Context, ans answer, c *collection) error {
	before := s.last.RawFileList()
	strays := c.straysWith(before)
	if !c.moved || c.waits == nil && c.full == nil && len(c.strays) == 0 && len(strays) == len(before) {
		return nil
	}
	ans.Version = answerVersion
	text, err := json.Marshal(ans)
	if err != nil {
		return err
	}
	s.last.Answer = string(text)
	return s.persist(ctx, func(ctx context.Context) error { return s.Tasks.RecordCollected(ctx, s.last, strays) })
}

// fetchLater hands the task back until the picture is worth another look.
func (s *step) fetchLater(ctx context.Context, f *task.Failure, pause time.Duration) error {
	s.log.Info().Dur("next", pause).Str("error", f.Error()).Msg("a picture that was paid for is not there yet")
	return s.handBack(ctx, pause, "a picture that was paid for is fetched again and not bought again: "+f.Error())
}

// pauseBefore returns how long to wait before a picture is fetched again: a part of the
// time for which it has been in vain. Once its address is dead, or the task's time is
// over, it returns why the task fails.
func (s *step) pauseBefore(ctx context.Context, f *task.Failure) (time.Duration, *task.Failure) {
	vain := s.sinceAnswered(ctx)
	left, over := s.addressEnds(vain)
	if left <= 0 {
		over.Executed, over.Cause, over.Code, over.HTTPStatus, over.RequestID = task.Executed, f, f.Code, f.HTTPStatus, f.RequestID
		over.Message, over.Detail, over.Next = over.Message+": "+f.Message, f.Detail, retryCollects
		return 0, over
	}
	pause := min(max(vain/2, firstPause), pauseCap)
	pause = max(time.Duration((0.5+random())*float64(pause)), min(f.RetryAfter, pauseCap))
	return min(pause, left), nil // the last look is at the end
}

const retryCollects = "`easel retry` fetches it again and does not pay for it twice; `easel retry --buy-again` has a new one drawn, which is paid for as well"

// addressEnds returns for how much longer the addresses of an answer are tried that have
// been tried in vain for that long, and as what the task fails after it. A deadline goes by
// our own clock, as before the call was made.
func (s *step) addressEnds(vain time.Duration) (time.Duration, *task.Failure) {
	p := s.account.Provider
	if p == nil && len(s.svc.Accounts) > 0 {
		p = s.svc.Accounts[0].Provider
	}
	var life time.Duration
	if p != nil {
		life = s.svc.Capabilities(p, s.t).AddressLife
	}
	deadline := s.t.DeadlineAt
	left := cmp.Or(life, s.svc.Deadline, defaultDeadline) - vain
	if deadline != nil && (life == 0 || time.Until(*deadline) < left) {
		return time.Until(*deadline), &task.Failure{Kind: task.Deadline,
			Message: "the picture that was paid for could not be fetched before deadline_at, " + deadline.UTC().Format(time.RFC3339)}
	}
	return left, &task.Failure{Kind: task.Expired, Message: fmt.Sprintf("the picture that was paid for could not be fetched for %s", vain.Round(time.Second))}
}

// giveUp ends a task whose pictures were paid for and cannot be had now. The attempt
// stays answered: a retry by hand collects again, and only a person's word buys.
func (s *step) giveUp(ctx context.Context, f *task.Failure) error {
	f.Executed, f.Next = task.Executed, retryCollects
	if s.last.Images > 0 && s.severalCalls() {
		return s.endPart(ctx, f, task.AttemptAnswered)
	}
	s.last.State = task.AttemptAnswered
	s.blame(f)
	return s.end(ctx, task.Decision{Status: task.Failed, FailedTries: s.t.FailedTries + 1, Waits: s.t.Waits, Failure: f}, s.last)
}

// bring gets one picture from wherever the answer says it is. Of bytes that were no
// picture for us the address may give better ones by now; until it does they are what
// we have.
func (s *step) bring(ctx context.Context, out *provider.Output) brought {
	if out.Err != nil {
		return brought{err: out.Err}
	}
	ctx, cancel := context.WithTimeout(ctx, keepTimeout)
	defer cancel()
	if out.URL == "" || !strings.HasSuffix(out.Key, picture.StrayEnd) {
		return s.renewed(ctx, out)
	}
	fresh := *out
	fresh.Key = ""
	b := s.renewed(ctx, &fresh)
	out.URL = fresh.URL
	switch {
	case b.err == nil || b.stray != nil:
		*out = fresh
		return b
	case b.err.Kind == task.Storage:
		return b
	}
	had := s.fetched(ctx, out)
	had.again = had.again || had.err != nil && b.again
	return had
}

// renewed is fetched, at a new address if the old one gives nothing and the provider
// names another.
func (s *step) renewed(ctx context.Context, out *provider.Output) brought {
	b := s.fetched(ctx, out)
	if b.again && s.renew(ctx, out) {
		b = s.fetched(ctx, out)
		b.moved = true
	}
	return b
}

// fetched is bring at the address that is known.
func (s *step) fetched(ctx context.Context, out *provider.Output) brought {
	inline, had := len(out.Bytes) > 0, out.Key
	file, err := s.open(ctx, out)
	if err != nil {
		f := task.AsFailure(err)
		return brought{err: f, again: f.Kind != task.Storage && out.URL != "" && !errors.Is(f.Cause, provider.ErrTooLong)}
	}
	defer file.Close()
	results, err := s.shelve(ctx, file, out)
	var bad *codec.Error
	switch {
	case errors.As(err, &bad):
		return s.strange(ctx, file, out, bad, inline || had != "")
	case err != nil:
		return brought{err: later("our storage does not take the picture", err)}
	}
	if out.Tiles < 2 {
		out.Key = results[0].StorageKey
	}
	return brought{results: results, moved: out.Key != had}
}

// strange decides about bytes that are no picture for us. They are kept as they came, but
// for a page in the place of a picture: as the picture itself, if only a decoder for it is
// missing. Whether the address may still give better ones depends on what they are: half a
// picture may be whole until the address is dead, and a damaged one hardly changes.
func (s *step) strange(ctx context.Context, file io.ReadSeeker, out *provider.Output, bad *codec.Error, ours bool) brought {
	f := unusable(bad)
	if bad.Text && !ours {
		return brought{err: f, again: true}
	}
	stray, err := s.shelveStray(ctx, file, out, bad)
	if err != nil {
		return brought{err: later("our storage does not take the bytes of a picture", err)}
	}
	if !bad.Foreign || out.Tiles > 1 {
		f.Message += ", and lies as it came at " + stray.StorageKey
		return brought{err: f, stray: stray, again: !ours && (bad.Incomplete || s.sinceAnswered(ctx) < settling), moved: true}
	}
	r := s.result(out, stray.StorageKey)
	r.ContentType, r.FileSize, r.SHA256 = stray.ContentType, stray.FileSize, stray.SHA256
	return brought{results: []task.Result{r}, moved: true, warning: fmt.Sprintf("is kept as it came: easel cannot look into %s", stray.ContentType)}
}

// shelve stores a picture, or the tiles of a grid one by one: cut again they are the
// same, so that a crash among them is no matter.
func (s *step) shelve(ctx context.Context, file io.ReadSeeker, out *provider.Output) ([]task.Result, error) {
	if out.Tiles < 2 {
		r, err := s.store(ctx, file, out, keepTimeout)
		return []task.Result{r}, err
	}
	tiles, err := s.Checker.For(s.svc.Name).Split(ctx, file, out.Tiles)
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
