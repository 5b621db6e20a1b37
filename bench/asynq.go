//go:build unix

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/hibiken/asynq"
	"github.com/jmoiron/sqlx"
	_ "github.com/lib/pq" // the driver "postgres"

	"github.com/easelqueue/easel/queue"
)

// byHand is what one writes in an afternoon: asynq, sqlx and lib/pq, as they are. What a worker does
// when its process dies within a call it leaves to asynq: the call is made again.
type byHand struct{}

func (byHand) Results() string   { return resultsOfApp }
func (byHand) Completed() string { return completed }

func (byHand) Create(ctx context.Context, at site) error {
	db, err := openPool(at)
	if err != nil {
		return err
	}
	defer db.Close()
	_, err = db.ExecContext(ctx, appTables)
	return err
}

func openPool(at site) (*sqlx.DB, error) {
	db, err := sqlx.Open("postgres", at.Postgres)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	return db, nil
}

type handProducer struct {
	db     *sqlx.DB
	client *asynq.Client
	close  func() error
}

func (byHand) Produce(_ context.Context, at site) (producer, error) {
	db, err := openPool(at)
	if err != nil {
		return nil, err
	}
	redis, err := queue.Redis(at.Redis)
	if err != nil {
		db.Close()
		return nil, err
	}
	return handProducer{db, asynq.NewClientFromRedisClient(redis), redis.Close}, nil
}

func (p handProducer) Close() { p.close(); p.db.Close() }

func (p handProducer) Enqueue(ctx context.Context, n int) (handed time.Time, err error) {
	var ids []int64
	if n == 1 {
		err = p.db.SelectContext(ctx, &ids, insertJob, user, prompt, model, size)
	} else {
		err = p.db.SelectContext(ctx, &ids, insertJobs, user, prompt, model, size, n)
	}
	if err != nil {
		return handed, err
	}
	for _, id := range ids {
		payload, err := json.Marshal(id)
		if err != nil {
			return handed, err
		}
		handed = time.Now()
		if _, err := p.client.EnqueueContext(ctx, asynq.NewTask("draw", payload)); err != nil {
			return handed, err
		}
	}
	return handed, nil
}

func (byHand) Work(ctx context.Context, at site, w working) error {
	db, err := openPool(at)
	if err != nil {
		return err
	}
	defer db.Close()
	redis, err := queue.Redis(at.Redis)
	if err != nil {
		return err
	}
	defer redis.Close()
	server := asynq.NewServerFromRedisClient(redis, asynq.Config{Concurrency: w.Slots, LogLevel: asynq.ErrorLevel})
	handle := func(ctx context.Context, t *asynq.Task) error {
		w.Told(taken, time.Now())
		var id int64
		if err := json.Unmarshal(t.Payload(), &id); err != nil {
			return fmt.Errorf("%w: %w", err, asynq.SkipRetry)
		}
		return drawByHand(ctx, db, id, w)
	}
	if err := server.Start(asynq.HandlerFunc(handle)); err != nil {
		return err
	}
	<-ctx.Done()
	server.Shutdown()
	return nil
}

func drawByHand(ctx context.Context, db *sqlx.DB, id int64, w working) error {
	r, err := db.ExecContext(ctx, beginJob, id)
	if err != nil {
		return err
	}
	if n, err := r.RowsAffected(); err != nil || n == 0 {
		return err // it is over
	}
	w.Told(called, time.Now())
	picture := draw()
	key, sum := store(id, picture)

	tx, err := db.BeginTxx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if _, err := tx.ExecContext(ctx, addResult, id, key, len(picture), sum); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, completeJob, id); err != nil {
		return err
	}
	return tx.Commit()
}
