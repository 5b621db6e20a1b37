//go:build unix

package main

import (
	"context"
	"time"
)

// contender is one way to do the job.
type contender interface {
	// Create makes the tables in an empty database.
	Create(ctx context.Context, at site) error

	// Produce opens what enqueues. The caller closes it.
	Produce(ctx context.Context, at site) (producer, error)

	// Work works until ctx ends, and then ends what it has begun.
	Work(ctx context.Context, at site, w working) error

	// Results is the sequence of the table of results, and Completed the query for how many
	// tasks are completed.
	Results() string
	Completed() string
}

// site is where a contender works: a database and a Redis of its own, both empty but for its tables.
type site struct {
	Postgres string // its address
	Redis    string
	Folder   string // for what it keeps on disk
}

// working is how a worker works.
type working struct {
	Slots int  // tasks at once
	Idle  bool // it serves all that it would in production, and not this job alone
	Told  func(event string, at time.Time)
}

// What a worker tells of each task.
const (
	taken  = "taken"  // it has the task in hand
	called = "called" // it calls the provider
)

// producer enqueues. Its methods may be called concurrently.
type producer interface {
	// Enqueue commits n rows and enqueues their tasks, in one call. It returns when the last
	// task was handed to the queue.
	Enqueue(ctx context.Context, n int) (handed time.Time, err error)
	Close()
}

// aloneProducer is a producer whose queue is a table, and which can fill it without the app's rows.
type aloneProducer interface {
	EnqueueAlone(ctx context.Context, n int) error
}

// contenders are all that can be measured. All others are compared with the first.
var contenders = map[string]contender{"asynq": byHand{}, "river": byRiver{}, "easel": byEasel{}}

func names() []string { return []string{"asynq", "river", "easel"} }

// titles name them for people.
var titles = map[string]string{"asynq": "asynq by hand", "river": "River", "easel": "easel"}

// connections is how many each process opens to PostgreSQL; it is what easel opens.
const connections = 20

// The task that all of them enqueue.
const (
	prompt = "a fox in the snow, woodcut"
	model  = "nop-1"
	size   = "1024x1024"
	user   = int64(7)
)

// appTables are those of an app that does the job by itself.
const appTables = `
	CREATE TABLE job (
		id bigserial PRIMARY KEY, user_id bigint, prompt text NOT NULL, model text NOT NULL, size text NOT NULL,
		status text NOT NULL DEFAULT 'pending', created_at timestamptz NOT NULL DEFAULT now(),
		updated_at timestamptz NOT NULL DEFAULT now(), finished_at timestamptz);
	CREATE INDEX job_of_user ON job (user_id, id);
	CREATE INDEX job_by_status ON job (status, id);
	CREATE TABLE result (
		id bigserial PRIMARY KEY, job_id bigint NOT NULL REFERENCES job, position integer NOT NULL, storage_key text NOT NULL,
		content_type text NOT NULL, width integer, height integer, file_size bigint, sha256 text, created_at timestamptz NOT NULL DEFAULT now(),
		UNIQUE (job_id, position));`

// Its statements, which asynq by hand and River share.
const (
	insertJob  = "INSERT INTO job (user_id, prompt, model, size) VALUES ($1, $2, $3, $4) RETURNING id"
	insertJobs = "INSERT INTO job (user_id, prompt, model, size) SELECT $1, $2, $3, $4 FROM generate_series(1, $5) RETURNING id"
	beginJob   = "UPDATE job SET status = 'processing', updated_at = now() WHERE id = $1 AND status IN ('pending', 'processing')"
	addResult  = `INSERT INTO result (job_id, position, storage_key, content_type, width, height, file_size, sha256)
		VALUES ($1, 0, $2, 'image/png', 16, 16, $3, $4) ON CONFLICT DO NOTHING`
	completeJob  = "UPDATE job SET status = 'completed', updated_at = now(), finished_at = now() WHERE id = $1 AND status = 'processing'"
	completed    = "SELECT count(*) FROM job WHERE status = 'completed'"
	resultsOfApp = "result_id_seq"
)
