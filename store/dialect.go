package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jmoiron/sqlx"
	"modernc.org/sqlite"

	"github.com/easelqueue/easel/migrations"
	"github.com/easelqueue/easel/task"
)

// dialect is all in which the two databases differ.
type dialect struct {
	name        migrations.Dialect
	driver      string
	connections int

	// clock is the database's own. SQLite's is this process's: now() in its SQL
	// reads the same.
	clock func(context.Context, sqlx.QueryerContext) (time.Time, error)
	// later is the database's clock plus a parameter in milliseconds. Differs by
	// necessity: SQLite has no interval type.
	later string
	// lock and skipLocked close a SELECT that must keep others from the rows; one
	// that somebody else has fails the first (see isLocked) and is left out by the
	// second. SQLite has one writer, and every transaction is one from its start.
	lock, skipLocked string
	// among is the condition that a row is one of the deliveries in a parameter (see
	// list), holds, and is locked by nobody else. Differs by necessity: SQLite has no
	// LATERAL, and JSON functions of its own. On both the rows are looked up one by one
	// by their primary key, for a plan that goes by statistics reads the whole of a table
	// that has filled since they were made.
	among func(holds string) string
	// picked is the condition that a row is one that a SELECT of ids returns.
	picked func(ids string) string
	// byIndex makes the plans of a transaction follow indexes, in their order, whatever
	// the statistics say: for a table that has filled since they were made, all of it
	// may look cheaper to read or to sort. SQLite, which knows no statistics, does so.
	byIndex string
	// alone is whether a row that an UPDATE returns was locked as the statement saw it when
	// it began, and in nobody's hands: then no attempt of it has come in between. SQLite has
	// one writer.
	alone string
	// object is the aggregate that makes a JSON object of names and values.
	object string
	// attempt is a row of attemptColumns as a JSON object that reads as a task.Attempt.
	// Differs by necessity: SQLite knows no rows as values, and its times and truths are text
	// and numbers.
	attempt string
	// byCost undoes byIndex for the rest of a transaction.
	byCost string
	// lockWait bounds how long the statements of a transaction wait for what is locked: a call
	// that takes the bound. Empty for SQLite, whose connections wait for the whole file (sqliteWait).
	lockWait string
	// holders says who holds what is locked; nil if nothing is.
	holders func(ctx context.Context, db *sql.DB, wrote bool) (*Locked, error)
	// alive returns why the database gives no sign of life.
	alive func(ctx context.Context, db *sql.DB) error
	// unpublished is the NULL of published_at in the library's own inserts. On
	// Postgres it also tells the trigger, for this transaction only, that the
	// producer publishes by itself.
	unpublished string
	// manyRows says whether a statement for many rows takes less than one for each. SQLite is
	// in the process, and only its commits cost.
	manyRows bool
	// unflushed is now(). On Postgres it also tells the server that this transaction
	// need not be on a disk before it is answered: a heartbeat that a crash loses
	// comes again, and one that waits for a busy disk or a standby comes too late.
	unflushed string
	// notifies says whether the database can wake a relay.
	notifies bool

	// isAnswer is an error that the database said, over a connection that works.
	isAnswer func(error) bool
	// isMissing is a table or a column that is not there.
	isMissing func(error) bool
	// isMisfit is a statement that does not fit the tables that are there.
	isMisfit func(error) bool
	// isRefused is a value that the database does not take, however often.
	isRefused func(error) bool
	// isLocked is a row that another transaction has locked.
	isLocked func(error) bool
	// isBusy is a database that somebody else writes to.
	isBusy func(error) bool
	// isConflict is an error after which the same transaction may go through.
	isConflict func(error) bool
}

func postgres() dialect {
	code := func(err error, codes ...string) bool { return slices.Contains(codes, sqlState(err)) }
	return dialect{
		name: migrations.Postgres, driver: "postgres", connections: 20,
		clock: func(ctx context.Context, q sqlx.QueryerContext) (now time.Time, err error) {
			err = sqlx.GetContext(ctx, q, &now, "SELECT clock_timestamp()")
			return now.UTC(), err
		},
		later: "(now() + ? * interval '1 millisecond')",
		// Not FOR UPDATE: an app that inserts results of a task has its key locked.
		lock:       " FOR NO KEY UPDATE NOWAIT",
		skipLocked: " FOR NO KEY UPDATE SKIP LOCKED",
		among: func(holds string) string {
			return `id = ANY (ARRAY(SELECT one.id FROM json_to_recordset(CAST(? AS json)) AS wanted (id bigint, delivery integer)
				CROSS JOIN LATERAL (SELECT id FROM image_generations WHERE id = wanted.id AND delivery = wanted.delivery AND ` + holds +
				` FOR NO KEY UPDATE SKIP LOCKED) one))`
		},
		picked:      func(ids string) string { return "id = ANY (ARRAY(" + ids + "))" },
		holders:     holdersInPostgres,
		alive:       answersPostgres,
		lockWait:    "set_config('lock_timeout', $1, true)",
		unpublished: "CASE WHEN set_config('easel.quiet', 'on', true) = '' THEN now() END",
		notifies:    true,
		manyRows:    true,
		alone: `(SELECT before.status = 'pending' AND before.fence + 1 = image_generations.fence
			FROM image_generations AS before WHERE before.id = image_generations.id)`,
		object: "json_object_agg", attempt: "row_to_json(last)",
		unflushed: "CASE WHEN set_config('synchronous_commit', 'off', true) <> '' THEN now() END",
		isAnswer: func(err error) bool {
			state := sqlState(err)
			// The server is going, has cancelled the statement, or takes no writes any more: another may.
			return state != "" && !strings.HasPrefix(state, "57") && state != "25006"
		},
		byIndex: `SELECT set_config('enable_seqscan', 'off', true), set_config('enable_bitmapscan', 'off', true),
			set_config('enable_sort', 'off', true), set_config('enable_hashjoin', 'off', true), set_config('enable_mergejoin', 'off', true)`,
		byCost: "SET LOCAL enable_seqscan TO DEFAULT; SET LOCAL enable_bitmapscan TO DEFAULT; SET LOCAL enable_sort TO DEFAULT; " +
			"SET LOCAL enable_hashjoin TO DEFAULT; SET LOCAL enable_mergejoin TO DEFAULT",
		isRefused: func(err error) bool {
			state := sqlState(err)
			return strings.HasPrefix(state, "22") || strings.HasPrefix(state, "23")
		},
		isMissing: func(err error) bool {
			return code(err, "42P01", "42703")
		},
		isMisfit:   func(err error) bool { return code(err, "42P01", "42703", "42804", "42809", "42846", "42883") },
		isLocked:   func(err error) bool { return code(err, "55P03") },
		isBusy:     func(error) bool { return false },
		isConflict: func(err error) bool { return code(err, "40001", "40P01") },
	}
}

// sqlState is the code that Postgres gave an error, whichever driver brought it,
// or empty.
func sqlState(err error) string {
	var coded interface{ SQLState() string }
	if !errors.As(err, &coded) {
		return ""
	}
	return coded.SQLState()
}

// sqliteTime is how easel writes times into SQLite: UTC, of one width, so that
// their order as text is their order in time.
const sqliteTime = "2006-01-02 15:04:05.000000+00:00"

// clock gives SQLite the functions now() and later(milliseconds). They read this
// process's clock, which is the database's: SQLite has no other. That a test
// can set it is the reason for not using strftime('now').
var clock = sync.OnceValue(func() error {
	now := func(_ *sqlite.FunctionContext, _ []driver.Value) (driver.Value, error) {
		return time.Now().UTC().Format(sqliteTime), nil
	}
	later := func(_ *sqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
		ms, ok := args[0].(int64)
		if !ok {
			return nil, fmt.Errorf("later() takes whole milliseconds, not %T", args[0])
		}
		return time.Now().Add(time.Duration(ms) * time.Millisecond).UTC().Format(sqliteTime), nil
	}
	return errors.Join(
		sqlite.RegisterScalarFunction("now", 0, now),
		sqlite.RegisterScalarFunction("later", 1, later))
})

func sqliteDialect() (dialect, error) {
	if err := clock(); err != nil {
		return dialect{}, err
	}
	has := func(err error, text string) bool { return err != nil && strings.Contains(err.Error(), text) }
	isMissing := func(err error) bool { return has(err, "no such table") || has(err, "no such column") }
	return dialect{
		name: migrations.SQLite, driver: "sqlite",
		// One writer: more connections would only wait for each other, and a
		// busy_timeout is slept through outside of any context.
		connections: 1,
		clock: func(ctx context.Context, q sqlx.QueryerContext) (time.Time, error) {
			var now string
			if err := sqlx.GetContext(ctx, q, &now, "SELECT now()"); err != nil {
				return time.Time{}, err
			}
			return time.Parse(sqliteTime, now)
		},
		later: "later(?)",
		among: func(holds string) string {
			return `id IN (SELECT g.id FROM json_each(?) AS wanted CROSS JOIN image_generations AS g
				WHERE g.id = json_extract(wanted.value, '$.id') AND delivery = json_extract(wanted.value, '$.delivery') AND ` + holds + `)`
		},
		picked:      func(ids string) string { return "id IN (" + ids + ")" },
		unpublished: "NULL",
		alone:       "true",
		object:      "json_group_object",
		attempt:     sqliteObject(reflect.TypeFor[task.Attempt]()),
		isMissing:   isMissing,
		isMisfit:    isMissing,
		isRefused:   func(err error) bool { return has(err, "constraint failed") },
		isLocked:    func(error) bool { return false },
		isConflict:  isBusy,
		isBusy:      isBusy,
		holders:     holdersInSQLite,
		alive:       answersSQLite,
		unflushed:   "now()",
		isAnswer:    func(err error) bool { return has(err, "SQL logic error") || has(err, "SQLITE_") },
	}, nil
}

// isBusy is SQLite's error after it has waited for another writer.
func isBusy(err error) bool { return err != nil && strings.Contains(err.Error(), "SQLITE_BUSY") }

// sqliteObject is a row as a JSON object whose members have the names of its columns,
// which are those of the fields of a struct in JSON.
func sqliteObject(row reflect.Type) string {
	var members []string
	for _, field := range reflect.VisibleFields(row) {
		if field.Anonymous {
			continue
		}
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		value := name
		switch field.Type {
		case reflect.TypeFor[time.Time](), reflect.TypeFor[*time.Time]():
			value = "replace(" + name + ", ' ', 'T')"
		case reflect.TypeFor[bool]():
			value = "json(CASE WHEN " + name + " THEN 'true' ELSE 'false' END)"
		}
		members = append(members, "'"+name+"', "+value)
	}
	return "json_object(" + strings.Join(members, ", ") + ")"
}
