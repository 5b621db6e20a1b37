package store_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/easelqueue/easel/internal/tables"
	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
)

func series(from, n int) (refs []task.Ref, ids []int64) {
	for i := range n {
		refs, ids = append(refs, task.Ref{Task: int64(from + i)}), append(ids, int64(from+i))
	}
	return refs, ids
}

// call is one use of a method, and how many rows that asks for.
type call struct {
	asked int
	use   func(ctx context.Context, s *store.Store) error
}

// calls are all methods of the store but the unbounded ones, in one use or several.
func calls() map[string]call {
	all := make(map[string]call)
	for _, group := range []map[string]call{ofPublishing(), ofWorkers(), ofSteps(), ofPeople(), ofReaders()} {
		maps.Copy(all, group)
	}
	return all
}

// ofPublishing brings tasks to the queue.
func ofPublishing() map[string]call {
	unpublished, _ := series(10_001, 500)
	published, _ := series(60_001, 500)
	wrong, _ := series(20_001, 500)
	_, final := series(100_001, 500)
	failure := &task.Failure{Kind: task.Invalid, Executed: task.NotExecuted, Message: "no"}
	return map[string]call{
		"Insert": {500, func(ctx context.Context, s *store.Store) error {
			tasks := make([]*task.Task, 500)
			for i := range tasks {
				tasks[i] = &task.Task{Request: task.Request{Provider: "painter", Prompt: "a boat", IdempotencyKey: map[bool]string{true: fmt.Sprint(i)}[i < 5], Parameters: map[string]string{"a": "1"}}}
			}
			_, err := s.Insert(ctx, tasks)
			return err
		}},
		"InsertNotify": {1, func(ctx context.Context, s *store.Store) error {
			_, err := s.InsertNotify(ctx, []*task.Task{{Request: task.Request{Provider: "painter", Prompt: "a boat"}}})
			return err
		}},
		"InsertTx": {1, func(ctx context.Context, s *store.Store) error {
			tx, err := s.DB().BeginTx(ctx, nil)
			if err != nil {
				return err
			}
			defer tx.Rollback()
			_, err = s.InsertTx(ctx, tx, []*task.Task{{Request: task.Request{Provider: "painter", Prompt: "a boat"}}})
			return err
		}},
		"PublishDue": {500, func(ctx context.Context, s *store.Store) error {
			_, err := s.PublishDue(ctx, store.UnpublishedPage{Limit: 500}, func(due []task.Task) ([]task.Ref, error) { return refsOf(due), nil })
			return err
		}},
		"PublishDue, later": {1000, func(ctx context.Context, s *store.Store) error {
			_, err := s.PublishDue(ctx, store.UnpublishedPage{After: &task.Task{ID: 40_000}, Skip: 500, Limit: 500}, func(due []task.Task) ([]task.Ref, error) { return refsOf(due), nil })
			return err
		}},
		"PublishDue, newest": {500, func(ctx context.Context, s *store.Store) error {
			_, err := s.PublishDue(ctx, store.UnpublishedPage{After: &task.Task{ID: 40_000}, Newest: true, Limit: 500}, func(due []task.Task) ([]task.Ref, error) { return refsOf(due), nil })
			return err
		}},
		"MarkPublished":   {500, func(ctx context.Context, s *store.Store) error { return s.MarkPublished(ctx, unpublished) }},
		"MarkUnpublished": {500, func(ctx context.Context, s *store.Store) error { return s.MarkUnpublished(ctx, published) }},
		"Redeliver":       {500, func(ctx context.Context, s *store.Store) error { return s.Redeliver(ctx, published) }},
		"ArchiveNeverClaimed": {500, func(ctx context.Context, s *store.Store) error {
			_, err := s.ArchiveNeverClaimed(ctx, wrong, failure)
			return err
		}},
		"Archive": {1, func(ctx context.Context, s *store.Store) error {
			_, err := s.Archive(ctx, task.Ref{Task: 30_000}, failure)
			return err
		}},
		"MarkUnknownOutcome": {500, func(ctx context.Context, s *store.Store) error {
			_, err := s.MarkUnknownOutcome(ctx, published)
			return err
		}},
		"ResetPublished": {2000, func(ctx context.Context, s *store.Store) error { _, err := s.ResetPublished(ctx); return err }},
		"PublishedWaiting": {1000, func(ctx context.Context, s *store.Store) error {
			_, _, err := s.PublishedWaiting(ctx, 70_000, time.Second, 1000)
			return err
		}},
		"Deliveries": {500, func(ctx context.Context, s *store.Store) error { _, err := s.Deliveries(ctx, final); return err }},
	}
}

// ofWorkers says who is alive, and takes from who is not.
func ofWorkers() map[string]call {
	return map[string]call{
		"ReclaimExpired": {2000, func(ctx context.Context, s *store.Store) error { _, err := s.ReclaimExpired(ctx, 500); return err }}, // all that are held
		"HeldBy":         {1800, func(ctx context.Context, s *store.Store) error { _, err := s.HeldBy(ctx, "alive"); return err }},
		"TakeCancelled":  {10, func(ctx context.Context, s *store.Store) error { _, err := s.TakeCancelled(ctx, "alive"); return err }},
		"ToCollect": {20, func(ctx context.Context, s *store.Store) error { // of 20,000 that run
			calls, err := s.ToCollect(ctx, "alive", 0, 20)
			if err == nil && (len(calls) != 20 || calls[0].Late) {
				err = fmt.Errorf("%d calls of those that run are open, not 20", len(calls))
			}
			return err
		}},
		"ToCollect, of the dead": {40, func(ctx context.Context, s *store.Store) error {
			calls, err := s.ToCollect(ctx, "gone", 0, 1000)
			if err == nil && (len(calls) != 40 || !calls[0].Late) {
				err = fmt.Errorf("%d calls are to be collected, not 40", len(calls))
			}
			return err
		}},
		"DeadWorkers": {2, func(ctx context.Context, s *store.Store) error {
			names, err := s.DeadWorkers(ctx, "", 100)
			if err == nil && (len(names) != 1 || names[0] != "gone") {
				err = fmt.Errorf("%q are silent, not gone", names)
			}
			return err
		}},
		"HasWorkerFor": {1, func(ctx context.Context, s *store.Store) error { _, err := s.HasWorkerFor(ctx, "painter"); return err }},
		"Workers":      {1, func(ctx context.Context, s *store.Store) error { _, err := s.Workers(ctx); return err }},
		"WorkersSeen":  {1, func(ctx context.Context, s *store.Store) error { _, err := s.WorkersSeen(ctx); return err }},
		"PruneWorkers": {1, func(ctx context.Context, s *store.Store) error { _, err := s.PruneWorkers(ctx, time.Hour); return err }},
		"Heartbeat": {1, func(ctx context.Context, s *store.Store) error {
			return s.Heartbeat(ctx, store.Worker{ID: "other"}, time.Minute)
		}},
		"Deregister": {1, func(ctx context.Context, s *store.Store) error { return s.Deregister(ctx, "other") }},
		"Observe":    {2, func(ctx context.Context, s *store.Store) error { _, err := s.Observe(ctx, time.Second); return err }},
	}
}

// ofSteps is what a step calls. Begin, which comes first by its name, fills in the attempt of the others.
func ofSteps() map[string]call {
	held := &task.Task{ID: 200_001, Request: task.Request{ImageCount: 1, Provider: "painter"}, Standing: task.Standing{Fence: 1, Worker: "alive"}}
	begun := &task.Attempt{Key: "new", Provider: "painter"}
	result := task.Result{GeneratedImageURL: "http://x", StorageKey: "x"}
	failure := &task.Failure{Kind: task.Invalid, Executed: task.NotExecuted, Message: "no"}
	return map[string]call{
		"Claim": {1, func(ctx context.Context, s *store.Store) error {
			_, _, err := s.Claim(ctx, task.Ref{Task: 80_000}, "alive", time.Minute)
			return err
		}},
		"Next": {1, func(ctx context.Context, s *store.Store) error {
			_, err := s.Next(ctx, task.Ref{Task: 100_004})
			return err
		}},
		"Begin": {1, func(ctx context.Context, s *store.Store) error { return tables.Begin(ctx, s, held, begun) }},
		"Release": {1, func(ctx context.Context, s *store.Store) error {
			return s.Release(ctx, task.Token{Task: 200_002, Fence: 1}, 0, "")
		}},
		"History":       {1, func(ctx context.Context, s *store.Store) error { _, err := s.History(ctx, held.ID); return err }},
		"NewestAttempt": {1, func(ctx context.Context, s *store.Store) error { _, err := s.NewestAttempt(ctx); return err }},
		"Record, of progress": {1, func(ctx context.Context, s *store.Store) error {
			return tables.Err(s.Record(ctx, store.Progressed{Held: held.Token(), Percent: 7}))
		}},
		"Record, of an end": {1, func(ctx context.Context, s *store.Store) error {
			return tables.Err(s.Record(ctx, store.AttemptEnded{Attempt: *begun}))
		}},
		"Record, of an input": {1, func(ctx context.Context, s *store.Store) error {
			return tables.Err(s.Record(ctx, store.InputCopied{Task: held.ID, Input: task.Input{SourceHash: "x", StorageKey: "x", ContentType: "x", SHA256: "x"}}))
		}},
		"Record, of a batch": {1, func(ctx context.Context, s *store.Store) error {
			return tables.Err(s.Record(ctx, store.BatchKept{Held: task.Token{Task: 200_005, Fence: 1}, Attempt: task.Attempt{ID: 100_010, TaskID: 100_010}, Results: nil, Progress: 5}))
		}},
		"Record, of a handle": {1, func(ctx context.Context, s *store.Store) error {
			return tables.Err(s.Record(ctx, store.Accepted{Held: held.Token(), Attempt: *begun, JobID: "job"}))
		}},
		"Record, of an answer": {1, func(ctx context.Context, s *store.Store) error {
			return tables.Err(s.Record(ctx, store.Answered{Held: held.Token(), Attempt: *begun, JobID: "job"}))
		}},
		"Record, of an end by who heard of it": {1, func(ctx context.Context, s *store.Store) error {
			_, err := s.Record(ctx, store.AttemptEndedIf{Attempt: *begun, State: "x"})
			return err
		}},
		"Record, of a call not sent": {1, func(ctx context.Context, s *store.Store) error {
			return tables.Err(s.Record(ctx, store.NotSent{Task: held.ID, Key: "key 100004"}))
		}},
		"Record, of what was learnt late": {1, func(ctx context.Context, s *store.Store) error {
			return tables.Err(s.Record(ctx, store.LearntLate{Task: 100_004}))
		}},
		"Record, of how far it is collected": {1, func(ctx context.Context, s *store.Store) error {
			return tables.Err(s.Record(ctx, store.Collected{Attempt: tables.WithRaw(&task.Attempt{ID: 100_004}, nil)}))
		}},
		"Finish, by a decision": {1, func(ctx context.Context, s *store.Store) error {
			return tables.Err(s.Finish(ctx, store.Decided{Held: task.Token{Task: 200_003, Fence: 1}, Decision: task.Decision{Status: task.Failed, Failure: failure}}))
		}},
		"Finish, at another provider": {1, func(ctx context.Context, s *store.Store) error {
			return tables.Err(s.Finish(ctx, store.Switched{Held: task.Token{Task: 200_004, Fence: 1}, To: task.Fallback{Provider: "rival"}, Rest: "", Reason: ""}))
		}},
		"Finish, completed": {1, func(ctx context.Context, s *store.Store) error {
			return tables.Err(s.Finish(ctx, store.Completed{Held: task.Token{Task: 200_006, Fence: 1}, Completion: store.Completion{First: &result}}))
		}},
		"Finish, late": {1, func(ctx context.Context, s *store.Store) error {
			_, err := s.Finish(ctx, store.CameLate{Attempt: task.Attempt{ID: 100_004, TaskID: 100_004}, Completion: store.Completion{Results: []task.Result{{Position: 3, GeneratedImageURL: "http://x"}}}})
			return err
		}},
	}
}

// ofPeople is what a person asks for.
func ofPeople() map[string]call {
	return map[string]call{
		"Retry": {1, func(ctx context.Context, s *store.Store) error {
			_, err := s.Retry(ctx, task.Seen{Task: 100_003, Fence: 1, Status: task.Failed}, false)
			return err
		}},
		"Look": {1, func(ctx context.Context, s *store.Store) error { _, err := s.Look(ctx, 100_004); return err }},
		"Cancel": {1, func(ctx context.Context, s *store.Store) error {
			_, err := s.Cancel(ctx, task.Seen{Task: 80_001})
			return err
		}},
		"Delete": {1, func(ctx context.Context, s *store.Store) error { return s.Delete(ctx, 100_005) }},
		"GiveUp": {1, func(ctx context.Context, s *store.Store) error {
			var not *store.NotAllowed
			if _, err := s.GiveUp(ctx, task.Seen{Task: 100_013, Fence: 1, Status: task.Failed}, nil); err != nil && !errors.As(err, &not) {
				return err
			}
			return nil
		}},
		"BuyAgain": {1, func(ctx context.Context, s *store.Store) error {
			var nothing *store.NothingPaid
			if _, err := s.BuyAgain(ctx, task.Seen{Task: 100_013, Fence: 1, Status: task.Failed}); err != nil && !errors.As(err, &nothing) {
				return err
			}
			return nil
		}},
	}
}

// ofReaders only looks.
func ofReaders() map[string]call {
	_, final := series(100_001, 500)
	user, nobody := int64(7), int64(1_000)
	return map[string]call{
		"ResultsOf": {500, func(ctx context.Context, s *store.Store) error { _, err := s.ResultsOf(ctx, final); return err }},
		"Files":     {500, func(ctx context.Context, s *store.Store) error { _, err := s.Files(ctx, final); return err }},
		"Get":       {1, func(ctx context.Context, s *store.Store) error { _, err := s.Get(ctx, 80_000); return err }},
		"Retire":    {500, func(ctx context.Context, s *store.Store) error { _, err := s.Retire(ctx, time.Now(), 500); return err }},
		"List":      {100, func(ctx context.Context, s *store.Store) error { _, err := s.List(ctx, store.Filter{}); return err }},
		"Attempt":   {1, func(ctx context.Context, s *store.Store) error { _, err := s.Attempt(ctx, 100_004); return err }},
		"LastCalls": {1, func(ctx context.Context, s *store.Store) error {
			_, err := s.LastCalls(ctx, []int64{100_004})
			return err
		}},
		"Attempts":  {1, func(ctx context.Context, s *store.Store) error { _, err := s.Attempts(ctx, 100_004); return err }},
		"Results":   {1, func(ctx context.Context, s *store.Store) error { _, err := s.Results(ctx, 100_004); return err }},
		"AttemptID": {1, func(ctx context.Context, s *store.Store) error { _, err := s.AttemptID(ctx, "key 100004"); return err }},
		"AttemptByKey": {1, func(ctx context.Context, s *store.Store) error {
			_, err := s.AttemptByKey(ctx, "key 100004")
			return err
		}},
		"List, of a user": {1, func(ctx context.Context, s *store.Store) error {
			_, err := s.List(ctx, store.Filter{UserID: &user})
			return err
		}},
		"List, of a user without tasks": {1, func(ctx context.Context, s *store.Store) error {
			_, err := s.List(ctx, store.Filter{UserID: &nobody})
			return err
		}},
	}
}
