package selftest

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"time"
)

// What an app does to the database that it shares with easel, and its clock. None of
// these hides what became of a call: nobody may be called dead, and no outcome unknown.

// aServer is a database that is a server: in a file every writer waits for every other.
func aServer(r *run) string {
	if strings.HasPrefix(r.databaseURL, "sqlite:") {
		return ""
	}
	return "tables"
}

func clockedPostgres(r *run) string {
	if r.clock == nil {
		return ""
	}
	return "clock"
}

const (
	floodRows = 60_000
	lockRows  = 40
	flood     = "flood" // the prompt of the rows that nobody wants drawn
)

// floodTable inserts many rows that are due tomorrow in one statement, and deletes them in another.
func floodTable(r *run, ctx context.Context, _ string, d time.Duration) error {
	db := r.tasks.DB()
	_, err := db.ExecContext(ctx, `INSERT INTO image_generations (provider, prompt, run_at)
		SELECT $1, $2, now() + interval '1 day' FROM generate_series(1, $3::int)`, providers[0], flood, floodRows)
	sleep(ctx, d)
	// They have to go before the run is judged, whatever else happens to the server meanwhile.
	going, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	for {
		_, failed := db.ExecContext(going, "DELETE FROM image_generations WHERE prompt = $1", flood)
		if failed == nil || going.Err() != nil {
			return errors.Join(err, failed)
		}
		sleep(going, time.Second)
	}
}

// lockSome leaves a transaction open that has changed rows which workers want.
func lockSome(r *run, ctx context.Context, _ string, d time.Duration) error {
	return r.holdOpen(ctx, d, `UPDATE image_generations SET drama_id = 7 WHERE id IN
		(SELECT id FROM image_generations WHERE status IN ('pending', 'processing') ORDER BY id DESC LIMIT $1)`, lockRows)
}

func lockTables(r *run, ctx context.Context, _ string, d time.Duration) error {
	return r.holdOpen(ctx, d, "LOCK TABLE image_generations, generation_attempt, generation_result IN ACCESS EXCLUSIVE MODE")
}

func alterTable(r *run, ctx context.Context, _ string, d time.Duration) error {
	return r.holdOpen(ctx, d, "ALTER TABLE image_generations ADD COLUMN note_of_the_app text")
}

// holdOpen leaves a transaction open for d and takes back what it did.
func (r *run) holdOpen(ctx context.Context, d time.Duration, query string, args ...any) error {
	tx, err := r.tasks.DB().BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, query, args...)
	if err == nil {
		sleep(ctx, d)
	}
	_ = tx.Rollback() // the end of ctx, or of the server, has done it as well
	return err
}

// useUpConnections takes every connection that the server has left.
func useUpConnections(r *run, ctx context.Context, _ string, d time.Duration) error {
	db, err := sql.Open("postgres", r.databaseURL)
	if err != nil {
		return err
	}
	defer db.Close()
	for {
		c, err := db.Conn(ctx)
		if err != nil { // it takes no more
			break
		}
		defer c.Close()
	}
	sleep(ctx, d)
	return nil
}

// jumpClock steps the database's clock to and fro.
func jumpClock(r *run, ctx context.Context, _ string, d time.Duration) error {
	r.mu.Lock()
	r.jumped = true
	r.mu.Unlock()
	ahead := clockStep
	if d%2 == 0 { // d was drawn, and only who draws may ask the dice
		ahead = -clockStep
	}
	err := r.clock(ahead)
	sleep(ctx, d)
	return errors.Join(err, r.clock(0))
}

// clockStep is how far the database's clock jumps.
const clockStep = time.Minute
