package store_test

import (
	"database/sql"
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/lib/pq"

	"github.com/easelqueue/easel/internal/tables"
	"github.com/easelqueue/easel/migrations"
	"github.com/easelqueue/easel/store"
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
		// Calls to collect, of held tasks, and such that are given up.
		`INSERT INTO image_generations (id, provider, prompt, status, error_kind, fence) SELECT n, 'painter', 'a boat', 'failed', 'outcome_unknown', 1 FROM generate_series(220001, 240000) n`,
		`INSERT INTO generation_attempt (id, task_id, delivery, number, attempt_key, provider, state, fence, worker, finished_at) SELECT n, n, 0, 1, 'key ' || n, 'painter', 'accepted', 1, 'gone',
			CASE WHEN n % 500 > 0 THEN now() END FROM generate_series(220001, 240000) n`,
		// Calls that no late collecting is for, as those of jobs that run, and such whose time was over.
		`INSERT INTO image_generations (id, provider, prompt, status, error_kind, fence) SELECT n, 'painter', 'a boat', 'failed', 'crashed', 1 FROM generate_series(240001, 260000) n`,
		`INSERT INTO image_generations (id, provider, prompt, status, error_kind, fence) SELECT n, 'painter', 'a boat', 'failed', 'timeout', 1 FROM generate_series(260001, 280000) n`,
		`INSERT INTO generation_attempt (id, task_id, delivery, number, attempt_key, provider, state, fence, worker, finished_at) SELECT n, n, 0, 1, 'key ' || n, 'painter', 'accepted', 1,
			CASE WHEN n > 260000 THEN 'gone' ELSE 'alive' END, CASE WHEN n > 260000 THEN now() END FROM generate_series(240001, 280000) n`,
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

// unbounded are the methods of the store that need no bound, or that no table is behind.
var unbounded = strings.Fields(`Backlog Close DB Dialect Ready ReadyNow Now Migrate Listen Sessions Pooler DirectPooler HasDirect ResetWatch OpenHeartbeat
	Count Tally CountAged ForPerson LockedTable`)

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
