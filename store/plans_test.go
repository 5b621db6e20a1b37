package store_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lib/pq"

	"github.com/easelqueue/easel/internal/tables"
	"github.com/easelqueue/easel/migrations"
	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
)

// plan is a node of what auto_explain says of a statement that has run.
type plan struct {
	Node    string  `json:"Node Type"`
	Rows    float64 `json:"Actual Rows"`
	Loops   float64 `json:"Actual Loops"`
	Filter  float64 `json:"Rows Removed by Filter"`
	Join    float64 `json:"Rows Removed by Join Filter"`
	Recheck float64 `json:"Rows Removed by Index Recheck"`
	Plans   []plan
}

// visited is how many rows all nodes together have seen.
func (p plan) visited() float64 {
	sum := (p.Rows + p.Filter + p.Join + p.Recheck) * p.Loops
	for _, below := range p.Plans {
		sum += below.visited()
	}
	return sum
}

type statement struct {
	Text string `json:"Query Text"`
	Plan plan
}

// explained is a store whose server tells how each statement went.
type explained struct {
	*store.Store
	mu  sync.Mutex
	ran []statement
}

func explain(t *testing.T, address string) *explained {
	t.Helper()
	e := &explained{}
	connector, err := pq.NewConnector(address + "&binary_parameters=yes&session_preload_libraries=auto_explain&auto_explain.log_min_duration=0" +
		"&auto_explain.log_analyze=on&auto_explain.log_timing=off&auto_explain.log_format=json&auto_explain.log_level=notice")
	must(t, err)
	db := sql.OpenDB(pq.ConnectorWithNoticeHandler(connector, func(notice *pq.Error) {
		_, text, found := strings.Cut(notice.Message, "plan:\n")
		if !found {
			return
		}
		var s statement
		if err := json.Unmarshal([]byte(text), &s); err != nil {
			t.Errorf("%v: %s", err, text)
		}
		e.mu.Lock()
		defer e.mu.Unlock()
		e.ran = append(e.ran, s)
	}))
	e.Store, err = store.OpenDB(db, migrations.Postgres)
	must(t, err)
	t.Cleanup(func() { e.Close() })
	return e
}

// during returns the statements that the call ran.
func (e *explained) during(call func()) []statement {
	e.mu.Lock()
	e.ran = nil
	e.mu.Unlock()
	call()
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.ran
}

// crowd is a table that has filled since its statistics were made: then it held
// the few rows that quiet inserts.
func crowd(t *testing.T, quiet string) *explained {
	t.Helper()
	address := tables.Postgres(t)
	db := open(t, address).DB()
	for _, q := range []string{
		"ALTER TABLE image_generations SET (autovacuum_enabled = off)",
		"ALTER TABLE generation_attempt SET (autovacuum_enabled = off)",
		"ALTER TABLE generation_result SET (autovacuum_enabled = off)",
		quiet, "ANALYZE",
		"SET session_replication_role = replica", // no triggers: only the filling is quicker
		// Rows 10,001 on: not published. 60,001 on: published. Then final ones, and held ones.
		`INSERT INTO image_generations (id, provider, prompt) SELECT n, 'painter', 'a boat' FROM generate_series(10001, 60000) n`,
		`INSERT INTO image_generations (id, provider, prompt, published_at, run_at) SELECT n, 'painter', 'a boat', now() - interval '1 hour', now() - interval '1 hour'
			FROM generate_series(60001, 90000) n`,
		`INSERT INTO image_generations (id, provider, prompt, status, fence, completed_at, user_id) SELECT n, 'painter', 'a boat',
			(ARRAY['completed', 'failed', 'cancelled'])[n % 3 + 1], 1, now() - interval '1 hour', n % 100 FROM generate_series(100001, 120000) n`,
		`INSERT INTO image_generations (id, provider, prompt, status, fence, worker, lease_until) SELECT n, 'painter', 'a boat', 'processing', 1,
			CASE WHEN n % 10 = 0 THEN 'dead' ELSE 'alive' END, now() - interval '1 hour' FROM generate_series(200001, 202000) n`,
		`INSERT INTO image_generations (id, provider, prompt, status, fence, worker) SELECT n, 'painter', 'a boat', 'cancelled', 1, 'alive' FROM generate_series(210001, 210010) n`,
		`INSERT INTO generation_attempt (id, task_id, delivery, number, attempt_key, provider, state, fence) SELECT n, n, 0, 1, 'key ' || n, 'painter', 'succeeded', 1
			FROM generate_series(100001, 120000) n`,
		`INSERT INTO generation_result (task_id, attempt_id, position, generated_image_url, storage_key) SELECT n, n, 0, 'http://x', 'key ' || n FROM generate_series(100001, 120000) n`,
		"SELECT setval(pg_get_serial_sequence('image_generations', 'id'), 300000), setval(pg_get_serial_sequence('generation_attempt', 'id'), 300000)",
		"INSERT INTO easel_worker (id, host, pid, version, providers, lease_until) VALUES ('alive', 'h', 1, 'v', ',painter,', now() + interval '1 hour')",
		"SET session_replication_role = DEFAULT",
	} {
		if _, err := db.Exec(q); err != nil {
			t.Fatalf("%s: %v", q, err)
		}
	}
	return explain(t, address)
}

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

// unbounded are the methods of the store that need no bound, or that no table is behind.
var unbounded = strings.Fields(`Backlog Close DB Dialect Ready Refuses Now Migrate Listen Dedicated Sessions Pooler DirectPooler HasDirect ResetWatch OpenHeartbeat
	Count Tally CountAged`)

// calls are all others.
func calls() map[string]call {
	unpublished, _ := series(10_001, 500)
	published, _ := series(60_001, 500)
	wrong, _ := series(20_001, 500)
	_, final := series(100_001, 500)
	held := &task.Task{ID: 200_001, Request: task.Request{ImageCount: 1, Provider: "painter"}, Standing: task.Standing{Fence: 1, Worker: "alive"}}
	begun := &task.Attempt{Key: "new", Provider: "painter"}
	result := task.Result{GeneratedImageURL: "http://x", StorageKey: "x"}
	failure := &task.Failure{Kind: task.Invalid, Executed: task.NotExecuted, Message: "no"}
	user, nobody := int64(7), int64(1_000)
	all := map[string]call{
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
		"Deliveries":     {500, func(ctx context.Context, s *store.Store) error { _, err := s.Deliveries(ctx, final); return err }},
		"ResultsOf":      {500, func(ctx context.Context, s *store.Store) error { _, err := s.ResultsOf(ctx, final); return err }},
		"Files":          {500, func(ctx context.Context, s *store.Store) error { _, err := s.Files(ctx, final); return err }},
		"ReclaimExpired": {2000, func(ctx context.Context, s *store.Store) error { _, err := s.ReclaimExpired(ctx, 500); return err }}, // all that are held
		"HeldBy":         {1800, func(ctx context.Context, s *store.Store) error { _, err := s.HeldBy(ctx, "alive"); return err }},
		"TakeCancelled":  {10, func(ctx context.Context, s *store.Store) error { _, err := s.TakeCancelled(ctx, "alive"); return err }},
		"HasWorkerFor":   {1, func(ctx context.Context, s *store.Store) error { _, err := s.HasWorkerFor(ctx, "painter"); return err }},
		"Workers":        {1, func(ctx context.Context, s *store.Store) error { _, err := s.Workers(ctx); return err }},
		"WorkersSeen":    {1, func(ctx context.Context, s *store.Store) error { _, err := s.WorkersSeen(ctx); return err }},
		"PruneWorkers":   {1, func(ctx context.Context, s *store.Store) error { _, err := s.PruneWorkers(ctx, time.Hour); return err }},
		"Heartbeat": {1, func(ctx context.Context, s *store.Store) error {
			return s.Heartbeat(ctx, store.Worker{ID: "other"}, time.Minute)
		}},
		"Deregister": {1, func(ctx context.Context, s *store.Store) error { return s.Deregister(ctx, "other") }},
		"Claim": {1, func(ctx context.Context, s *store.Store) error {
			_, _, err := s.Claim(ctx, task.Ref{Task: 80_000}, "alive", time.Minute)
			return err
		}},
		"Begin": {1, func(ctx context.Context, s *store.Store) error { return begin(ctx, s, held, begun) }},
		"Record, of progress": {1, func(ctx context.Context, s *store.Store) error {
			return only(s.Record(ctx, store.Progressed{Held: held.Token(), Percent: 7}))
		}},
		"Get": {1, func(ctx context.Context, s *store.Store) error { _, err := s.Get(ctx, 80_000); return err }},
		"Retry": {1, func(ctx context.Context, s *store.Store) error {
			_, err := s.Retry(ctx, task.Ref{Task: 100_003, Delivery: -1}, false)
			return err
		}},
		"Cancel":        {1, func(ctx context.Context, s *store.Store) error { _, err := s.Cancel(ctx, 80_001); return err }},
		"Delete":        {1, func(ctx context.Context, s *store.Store) error { return s.Delete(ctx, 100_005) }},
		"Retire":        {500, func(ctx context.Context, s *store.Store) error { _, err := s.Retire(ctx, time.Now(), 500); return err }},
		"List":          {100, func(ctx context.Context, s *store.Store) error { _, err := s.List(ctx, store.Filter{}); return err }},
		"Observe":       {2, func(ctx context.Context, s *store.Store) error { _, err := s.Observe(ctx, time.Second); return err }},
		"NewestAttempt": {1, func(ctx context.Context, s *store.Store) error { _, err := s.NewestAttempt(ctx); return err }},
		"History":       {1, func(ctx context.Context, s *store.Store) error { _, err := s.History(ctx, held.ID); return err }},
		"Attempt":       {1, func(ctx context.Context, s *store.Store) error { _, err := s.Attempt(ctx, 100_004); return err }},
		"Record, of an end": {1, func(ctx context.Context, s *store.Store) error {
			return only(s.Record(ctx, store.AttemptEnded{Attempt: *begun}))
		}},
		"Record, of an input": {1, func(ctx context.Context, s *store.Store) error {
			return only(s.Record(ctx, store.InputCopied{Task: held.ID, Input: task.Input{SourceHash: "x", StorageKey: "x", ContentType: "x", SHA256: "x"}}))
		}},
		"Release": {1, func(ctx context.Context, s *store.Store) error {
			return s.Release(ctx, task.Token{Task: 200_002, Fence: 1}, 0, "")
		}},
		"Finish, by a decision": {1, func(ctx context.Context, s *store.Store) error {
			return only(s.Finish(ctx, store.Decided{Held: task.Token{Task: 200_003, Fence: 1}, Decision: task.Decision{Status: task.Failed, Failure: failure}}))
		}},
		"Finish, at another provider": {1, func(ctx context.Context, s *store.Store) error {
			return only(s.Finish(ctx, store.Switched{Held: task.Token{Task: 200_004, Fence: 1}, To: task.Fallback{Provider: "rival"}, Rest: "", Reason: ""}))
		}},
		"Record, of a batch": {1, func(ctx context.Context, s *store.Store) error {
			return only(s.Record(ctx, store.BatchKept{Held: task.Token{Task: 200_005, Fence: 1}, Attempt: task.Attempt{ID: 100_010, TaskID: 100_010}, Results: nil, Progress: 5}))
		}},
		"Finish, completed": {1, func(ctx context.Context, s *store.Store) error {
			return only(s.Finish(ctx, store.Completed{Held: task.Token{Task: 200_006, Fence: 1}, Outcome: store.Outcome{First: &result}}))
		}},
	}
	single := map[string]func(ctx context.Context, s *store.Store) error{
		"Next": func(ctx context.Context, s *store.Store) error {
			_, err := s.Next(ctx, task.Ref{Task: 100_004})
			return err
		},
		"LastCalls": func(ctx context.Context, s *store.Store) error {
			_, err := s.LastCalls(ctx, []int64{100_004})
			return err
		},
		"Attempts":  func(ctx context.Context, s *store.Store) error { _, err := s.Attempts(ctx, 100_004); return err },
		"Results":   func(ctx context.Context, s *store.Store) error { _, err := s.Results(ctx, 100_004); return err },
		"AttemptID": func(ctx context.Context, s *store.Store) error { _, err := s.AttemptID(ctx, "key 100004"); return err },
		"AttemptByKey": func(ctx context.Context, s *store.Store) error {
			_, err := s.AttemptByKey(ctx, "key 100004")
			return err
		},
		"Record, of a handle": func(ctx context.Context, s *store.Store) error {
			return only(s.Record(ctx, store.Accepted{Held: held.Token(), Attempt: *begun, JobID: "job"}))
		},
		"Record, of an answer": func(ctx context.Context, s *store.Store) error {
			return only(s.Record(ctx, store.Answered{Held: held.Token(), Attempt: *begun, JobID: "job"}))
		},
		"Record, of an end by who heard of it": func(ctx context.Context, s *store.Store) error {
			_, err := s.Record(ctx, store.AttemptEndedIf{Attempt: *begun, State: "x"})
			return err
		},
		"Record, of a call not sent": func(ctx context.Context, s *store.Store) error {
			return only(s.Record(ctx, store.NotSent{Task: held.ID, Key: "key 100004"}))
		},
		"Record, of what was learnt late": func(ctx context.Context, s *store.Store) error {
			return only(s.Record(ctx, store.LearntLate{Task: 100_004}))
		},
		"Record, of how far it is collected": func(ctx context.Context, s *store.Store) error {
			return only(s.Record(ctx, store.Collected{Attempt: withRaw(&task.Attempt{ID: 100_004}, nil)}))
		},
		"GiveUp": func(ctx context.Context, s *store.Store) error {
			var not *store.NotAllowed
			if _, err := s.GiveUp(ctx, task.Ref{Task: 100_013, Delivery: -1}, nil); err != nil && !errors.As(err, &not) {
				return err
			}
			return nil
		},
		"BuyAgain": func(ctx context.Context, s *store.Store) error {
			var nothing *store.NothingPaid
			if _, err := s.BuyAgain(ctx, task.Ref{Task: 100_013, Delivery: -1}); err != nil && !errors.As(err, &nothing) {
				return err
			}
			return nil
		},
		"Finish, late": func(ctx context.Context, s *store.Store) error {
			_, err := s.Finish(ctx, store.CameLate{Attempt: task.Attempt{ID: 100_004, TaskID: 100_004}, Outcome: store.Outcome{Results: []task.Result{{Position: 3, GeneratedImageURL: "http://x"}}}})
			return err
		},
		"List, of a user": func(ctx context.Context, s *store.Store) error {
			_, err := s.List(ctx, store.Filter{UserID: &user})
			return err
		},
		"List, of a user without tasks": func(ctx context.Context, s *store.Store) error {
			_, err := s.List(ctx, store.Filter{UserID: &nobody})
			return err
		},
	}
	for name, use := range single {
		all[name] = call{1, use}
	}
	return all
}

func TestRowsVisitedAreBoundedWhateverTheStatistics(t *testing.T) {
	t.Parallel()
	covered := make(map[string]bool)
	for name := range calls() {
		covered[strings.SplitN(name, ",", 2)[0]] = true
	}
	for _, name := range unbounded {
		covered[name] = true
	}
	for method := range reflect.TypeFor[*store.Store]().Methods() {
		if !covered[method.Name] {
			t.Errorf("%s is neither called here nor unbounded", method.Name)
		}
	}
	for name, quiet := range map[string]string{
		"Of an empty table":   "SELECT 1",
		"Of few waiting rows": "INSERT INTO image_generations (provider, prompt) SELECT 'painter', 'a boat' FROM generate_series(1, 1000)",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := crowd(t, quiet)
			all := calls()
			for _, name := range slices.Sorted(maps.Keys(all)) { // Begin comes before what records its attempt
				c := all[name]
				ran := e.during(func() {
					if err := c.use(t.Context(), e.Store); err != nil {
						t.Errorf("%s: %v", name, err)
					}
				})
				if len(ran) == 0 {
					t.Errorf("%s: no statement was seen", name)
				}
				for _, s := range ran {
					if bound := float64(12*c.asked + 1000); s.Plan.visited() > bound {
						t.Errorf("%s asks for %d rows and visits %.0f:\n%s\n%+v", name, c.asked, s.Plan.visited(), s.Text[:min(len(s.Text), 500)], s.Plan)
					}
				}
			}
		})
	}
}
