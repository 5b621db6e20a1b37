package store

import (
	"context"
	"slices"

	"github.com/jmoiron/sqlx"

	"github.com/easelqueue/easel/task"
)

// Fact is one thing that a worker has learnt of a task, which Record writes as soon as it is
// known. What is about a call is written by whoever learns it, and however late: it was paid
// for, and its own state is the guard. What is about the task carries the token of its claim.
type Fact interface {
	// record writes it and reports whether anything was written. The row of the task is
	// locked before one of its attempts, as everywhere: two orders would be a deadlock.
	record(ctx context.Context, s *Store, q sqlx.ExtContext) (bool, error)
	// single says that it is one statement, which needs no transaction around it.
	single() bool
}

// Record writes a fact and reports whether it has changed anything. An ErrFenced if it needs
// the task, which is not the caller's any more: nothing is written then.
func (s *Store) Record(ctx context.Context, f Fact) (bool, error) {
	changed := false
	write := func(q sqlx.ExtContext) (err error) {
		changed, err = f.record(ctx, s, q)
		return err
	}
	var err error
	if f.single() {
		err = s.patiently(ctx, func() error { return write(s.db) })
	} else {
		err = s.in(ctx, func(tx *sqlx.Tx) error { return write(tx) })
	}
	return changed && err == nil, s.refusable(err)
}

// Accepted says: the provider has the job. Its id is mirrored to the task if that is still the
// holder's and no other call came after this one; the attempt is written even if it is not, since
// whoever goes on needs the handle. It is proof against what a person has said of the call, and against
// what was only inferred; one whose end the provider has said stays as it is.
type Accepted struct {
	Held    task.Token
	Attempt task.Attempt // with its Handle
	JobID   string       // the provider's, for people; may be empty
}

func (f Accepted) single() bool { return f.JobID == "" }

func (f Accepted) record(ctx context.Context, s *Store, q sqlx.ExtContext) (bool, error) {
	a := f.Attempt
	return s.withJob(ctx, q, f.Held, &a, f.JobID, "UPDATE generation_attempt SET "+accepts+" WHERE "+s.call(mayAccept), append(accepting(&a), a.ID)...)
}

var (
	// accepts are the columns of an attempt whose job the provider has; their arguments are those of accepting.
	accepts = "handle = ?, provider_request_id = ?, http_status = ?, " + asFound + ", finished_at = NULL, state = 'accepted'"
	// mayAccept is the condition of it.
	mayAccept = "(state IN ('sending', 'unknown') OR " + yieldsToProof + ")"
)

func accepting(a *task.Attempt) []any {
	return []any{null(a.Handle), null(a.ProviderRequestID), a.HTTPStatus}
}

// Answered says: what the provider drew is known, and its pictures are to be collected. An attempt
// that was given up has been paid for after all.
type Answered struct {
	Held    task.Token
	Attempt task.Attempt // with its Answer and what it cost
	JobID   string       // the provider's, for people; may be empty
}

func (f Answered) single() bool { return f.JobID == "" }

func (f Answered) record(ctx context.Context, s *Store, q sqlx.ExtContext) (bool, error) {
	a := f.Attempt
	return s.withJob(ctx, q, f.Held, &a, f.JobID, "UPDATE generation_attempt SET "+answers+" WHERE "+s.call(mayAnswer), append(answering(&a), a.ID)...)
}

// answers are the columns of an attempt whose pictures are known; their arguments are those of answering.
var answers = `state = 'answered', answer = ?, provider_request_id = coalesce(?, provider_request_id),
	http_status = ?, cost_micros = ?, currency = ?, price_version = ?, ` + asFound + `,
	unbilled = false, answered_at = now(), finished_at = NULL`

// mayAnswer is the condition of it.
const mayAnswer = "state NOT IN ('answered', 'succeeded')"

func answering(a *task.Attempt) []any {
	return []any{null(a.Answer), null(a.ProviderRequestID), a.HTTPStatus, a.CostMicros, null(a.Currency), null(a.PriceVersion)}
}

// mirrors are the columns of a task whose provider has said its id of the job, and noLaterCall is the condition
// of it, whose parameter is the attempt's number.
const (
	mirrors     = "task_id = ?, updated_at = now()"
	noLaterCall = "NOT EXISTS (SELECT 1 FROM generation_attempt a WHERE a.task_id = image_generations.id AND a.number > ?)"
)

// withJob makes the update of an attempt, and of its task if there is an id of its job.
func (s *Store) withJob(ctx context.Context, q sqlx.ExtContext, held task.Token, a *task.Attempt, jobID, query string, args ...any) (bool, error) {
	if jobID == "" {
		return s.changed(q.ExecContext(ctx, s.db.Rebind(query), args...))
	}
	if err := s.lock(ctx, q, held.Task); err != nil {
		return false, err
	}
	err := s.fenced(q.ExecContext(ctx, s.db.Rebind("UPDATE image_generations SET "+mirrors+" WHERE id = ? AND fence = ? AND status = 'processing' AND "+noLaterCall),
		jobID, held.Task, held.Fence, a.Number))
	late := err == ErrFenced
	if err != nil && !late {
		return false, err
	}
	changed, err := s.changed(q.ExecContext(ctx, s.db.Rebind(query), args...))
	if err != nil || !late {
		return changed, err
	}
	return changed, s.reconsider(ctx, q, held.Task)
}

// Collected says: how far the pictures of an answer have been brought into storage, in the
// attempt's Answer, and which bytes lie there as they came, in its RawFiles.
type Collected struct{ Attempt task.Attempt }

func (Collected) single() bool { return true }

func (f Collected) record(ctx context.Context, s *Store, q sqlx.ExtContext) (bool, error) {
	return s.changed(q.ExecContext(ctx, s.db.Rebind("UPDATE generation_attempt SET answer = ?, kept = ? WHERE "+s.call("state = 'answered'")),
		null(f.Attempt.Answer), null(f.Attempt.RawFiles), f.Attempt.ID))
}

// AttemptEnded says: a call gave no picture, by the attempt's State and error fields. One that has
// ended better meanwhile stays as it is.
type AttemptEnded struct{ Attempt task.Attempt }

func (AttemptEnded) single() bool { return true }

func (f AttemptEnded) record(ctx context.Context, s *Store, q sqlx.ExtContext) (bool, error) {
	return true, s.endAttempt(ctx, q, &f.Attempt, false)
}

// AttemptEndedIf is AttemptEnded by who only heard about a call that others may still be
// working on: it writes nothing unless the attempt is in the state in which it was read.
type AttemptEndedIf struct {
	Attempt task.Attempt
	State   task.AttemptState
}

func (AttemptEndedIf) single() bool { return true }

func (f AttemptEndedIf) record(ctx context.Context, s *Store, q sqlx.ExtContext) (bool, error) {
	a := f.Attempt
	return s.changed(q.ExecContext(ctx, s.db.Rebind(`
		UPDATE generation_attempt SET state = ?, `+blamed+`, finished_at = now()
		WHERE `+s.call("state = ?")), slices.Concat([]any{a.State}, blame(a.RowError), []any{a.ID, f.State})...))
}

// NotSent says: the call of that attempt was not made, if it was journalled at all: it ends as
// rejected. Somebody else may have called it unknown meanwhile.
type NotSent struct {
	Task int64
	Key  string // of the attempt
}

func (NotSent) single() bool { return false }

func (f NotSent) record(ctx context.Context, s *Store, q sqlx.ExtContext) (bool, error) {
	if err := s.lock(ctx, q, f.Task); err != nil {
		return false, err
	}
	changed, err := s.changed(q.ExecContext(ctx, s.db.Rebind(`
		UPDATE generation_attempt SET state = 'rejected', error_msg = 'the call was not made', `+noFailure+`, finished_at = now()
		WHERE attempt_key = ? AND state IN ('sending', 'unknown')`), f.Key))
	if err != nil {
		return false, err
	}
	return changed, s.reconsider(ctx, q, f.Task)
}

// Progressed says: how far the provider is, in percent. It never goes back, and it does not wait
// for a row that is locked.
type Progressed struct {
	Held    task.Token
	Percent int
}

func (Progressed) single() bool { return true }

// progresses are the columns of a task that has come further; their arguments are twice the percent.
const progresses = "progress = CASE WHEN progress < ? THEN ? ELSE progress END, updated_at = now()"

func (f Progressed) record(ctx context.Context, s *Store, q sqlx.ExtContext) (bool, error) {
	err := s.fenced(q.ExecContext(ctx, s.db.Rebind("UPDATE image_generations SET "+progresses+`
		WHERE id = (SELECT id FROM image_generations WHERE id = ? AND fence = ? AND status = 'processing'`+s.dialect.lock+`)`),
		f.Percent, f.Percent, f.Held.Task, f.Held.Fence))
	if err != nil && s.dialect.isLocked(err) {
		return false, nil
	}
	return err == nil, err
}

// BatchKept says: the pictures of one of several calls are in storage, and the task goes on.
type BatchKept struct {
	Held     task.Token
	Attempt  task.Attempt
	Results  []task.Result
	Progress int // percent
}

func (BatchKept) single() bool { return false }

func (f BatchKept) record(ctx context.Context, s *Store, q sqlx.ExtContext) (bool, error) {
	err := s.fenced(q.ExecContext(ctx, s.db.Rebind(`
		UPDATE image_generations SET updated_at = now(), progress = CASE WHEN progress < ? THEN ? ELSE progress END, `+costs+`
		WHERE id = (SELECT id FROM image_generations WHERE id = ? AND fence = ? AND status = 'processing'`+s.dialect.lock+`)`), f.Progress, f.Progress, f.Held.Task, f.Held.Fence))
	if err != nil {
		return false, err
	}
	return true, s.saveResults(ctx, q, &f.Attempt, f.Results)
}

// InputCopied says: our copy of an input picture lies in storage. Whoever copies last counts: the
// key and what lies under it follow from the task and the position.
type InputCopied struct {
	Task  int64
	Input task.Input
}

func (InputCopied) single() bool { return false }

func (f InputCopied) record(ctx context.Context, s *Store, q sqlx.ExtContext) (bool, error) {
	if err := s.lock(ctx, q, f.Task); err != nil { // an input waits for the key of its task
		return false, err
	}
	in := f.Input
	return s.changed(q.ExecContext(ctx, s.db.Rebind(`
		INSERT INTO generation_input (task_id, position, source_hash, storage_key, content_type, file_size, sha256, created_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, now())
		ON CONFLICT (task_id, position) DO UPDATE SET source_hash = excluded.source_hash, storage_key = excluded.storage_key,
			content_type = excluded.content_type, file_size = excluded.file_size, sha256 = excluded.sha256, created_at = now()`),
		f.Task, in.Position, in.SourceHash, in.StorageKey, in.ContentType, in.FileSize, in.SHA256))
}

// LearntLate says: more is known of the calls of a task that may have ended. It corrects the cost
// of one that has, and the reason of one that was held because the outcome of its calls was
// not known. The task stays failed; what its calls bring is collected by itself (see ToCollect).
type LearntLate struct{ Task int64 }

func (LearntLate) single() bool { return false }

func (f LearntLate) record(ctx context.Context, s *Store, q sqlx.ExtContext) (bool, error) {
	if err := s.lock(ctx, q, f.Task); err != nil {
		return false, err
	}
	return true, s.reconsider(ctx, q, f.Task)
}
