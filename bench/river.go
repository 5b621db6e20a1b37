//go:build unix

package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
)

// byRiver is River's durable way: a job is inserted in the transaction of its row, and completed in
// the transaction of its result.
type byRiver struct{}

func (byRiver) Results() string   { return resultsOfApp }
func (byRiver) Completed() string { return completed }

func (byRiver) Create(ctx context.Context, at site) error {
	pool, err := openPgx(ctx, at)
	if err != nil {
		return err
	}
	defer pool.Close()
	if _, err := pool.Exec(ctx, appTables); err != nil {
		return err
	}
	migrator, err := rivermigrate.New(riverpgxv5.New(pool), &rivermigrate.Config{Logger: quiet})
	if err != nil {
		return err
	}
	_, err = migrator.Migrate(ctx, rivermigrate.DirectionUp, nil)
	return err
}

var quiet = slog.New(slog.NewTextHandler(io.Discard, &slog.HandlerOptions{Level: slog.LevelError}))

func openPgx(ctx context.Context, at site) (*pgxpool.Pool, error) {
	c, err := pgxpool.ParseConfig(at.Postgres)
	if err != nil {
		return nil, err
	}
	c.MaxConns = connections
	return pgxpool.NewWithConfig(ctx, c)
}

// drawing are the arguments of a job.
type drawing struct {
	Job int64 `json:"job"`
}

func (drawing) Kind() string { return "draw" }

// whole are the arguments of a job that has no row of the app beside it.
type whole struct {
	User   int64  `json:"user_id"`
	Prompt string `json:"prompt"`
	Model  string `json:"model"`
	Size   string `json:"size"`
}

func (whole) Kind() string { return "draw_whole" }

type riverProducer struct {
	pool   *pgxpool.Pool
	client *river.Client[pgx.Tx]
}

func (byRiver) Produce(ctx context.Context, at site) (producer, error) {
	pool, err := openPgx(ctx, at)
	if err != nil {
		return nil, err
	}
	client, err := river.NewClient(riverpgxv5.New(pool), &river.Config{Logger: quiet})
	if err != nil {
		pool.Close()
		return nil, err
	}
	return riverProducer{pool, client}, nil
}

func (p riverProducer) Close() { p.pool.Close() }

func (p riverProducer) Enqueue(ctx context.Context, n int) (time.Time, error) {
	err := pgx.BeginFunc(ctx, p.pool, func(tx pgx.Tx) error {
		if n == 1 {
			var id int64
			if err := tx.QueryRow(ctx, insertJob, user, prompt, model, size).Scan(&id); err != nil {
				return err
			}
			_, err := p.client.InsertTx(ctx, tx, drawing{id}, nil)
			return err
		}
		rows, err := tx.Query(ctx, insertJobs, user, prompt, model, size, n)
		if err != nil {
			return err
		}
		ids, err := pgx.CollectRows(rows, pgx.RowTo[int64])
		if err != nil {
			return err
		}
		jobs := make([]river.InsertManyParams, len(ids))
		for i, id := range ids {
			jobs[i].Args = drawing{id}
		}
		_, err = p.client.InsertManyFastTx(ctx, tx, jobs)
		return err
	})
	return time.Now(), err // with the commit
}

func (p riverProducer) EnqueueAlone(ctx context.Context, n int) error {
	jobs := make([]river.InsertManyParams, n)
	for i := range jobs {
		jobs[i].Args = whole{user, prompt, model, size}
	}
	_, err := p.client.InsertManyFast(ctx, jobs)
	return err
}

type riverWorker struct {
	river.WorkerDefaults[drawing]
	pool *pgxpool.Pool
	working
}

func (byRiver) Work(ctx context.Context, at site, w working) error {
	pool, err := openPgx(ctx, at)
	if err != nil {
		return err
	}
	defer pool.Close()
	workers := river.NewWorkers()
	river.AddWorker(workers, &riverWorker{pool: pool, working: w})
	client, err := river.NewClient(riverpgxv5.New(pool), &river.Config{
		Logger: quiet, Workers: workers,
		Queues: map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: w.Slots}},
		// Its default of 100 ms would fetch at most ten times the slots a second.
		FetchCooldown: 2 * time.Millisecond,
	})
	if err != nil {
		return err
	}
	if err := client.Start(context.WithoutCancel(ctx)); err != nil {
		return err
	}
	<-ctx.Done()
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	return client.Stop(stopping)
}

func (r *riverWorker) Work(ctx context.Context, job *river.Job[drawing]) error {
	r.Told(taken, time.Now())
	id := job.Args.Job
	done, err := r.pool.Exec(ctx, beginJob, id)
	if err != nil {
		return err
	}
	if done.RowsAffected() == 0 {
		return errors.New("the row is over, and its job is not")
	}
	r.Told(called, time.Now())
	picture := draw()
	key, sum := store(id, picture)
	return pgx.BeginFunc(ctx, r.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, addResult, id, key, len(picture), sum); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, completeJob, id); err != nil {
			return err
		}
		_, err := river.JobCompleteTx[*riverpgxv5.Driver](ctx, tx, job)
		return err
	})
}
