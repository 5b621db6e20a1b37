package store

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/easelqueue/easel/task"
)

// insertRows bounds one INSERT. SQLite's driver searches all parameters for each
// one, so a statement ten times as long takes a hundred times as long.
const insertRows = 100

// KeyReused says that an idempotency key stands for another request already.
type KeyReused struct {
	Key  string
	Task int64 // the task that has it
}

func (e *KeyReused) Error() string {
	return fmt.Sprintf("idempotency_key %q already stands for task %d, which asks for something else; use another key", e.Key, e.Task)
}

// Insert stores new tasks with their parameters in one transaction and fills in
// their ID, Status and times. A task whose idempotency key is known already
// becomes the stored one; fresh says which are new. The caller publishes them.
func (s *Store) Insert(ctx context.Context, tasks []*task.Task) (fresh []bool, err error) {
	return s.insertAll(ctx, tasks, s.dialect.unpublished)
}

// InsertNotify is Insert for a caller that cannot publish: the commit wakes the relays.
func (s *Store) InsertNotify(ctx context.Context, tasks []*task.Task) (fresh []bool, err error) {
	return s.insertAll(ctx, tasks, "NULL")
}

func (s *Store) insertAll(ctx context.Context, tasks []*task.Task, unpublished string) (fresh []bool, err error) {
	err = s.in(ctx, func(tx *sqlx.Tx) error {
		fresh, err = s.insert(ctx, tx, tasks, unpublished)
		return err
	})
	return fresh, err
}

// InsertTx is Insert inside the caller's transaction: what it stores is there
// when the caller commits, and the relay is woken by that commit.
func (s *Store) InsertTx(ctx context.Context, tx Tx, tasks []*task.Task) (fresh []bool, err error) {
	return s.insert(ctx, tx, tasks, "NULL")
}

func (s *Store) insert(ctx context.Context, tx Tx, tasks []*task.Task, unpublished string) ([]bool, error) {
	fresh := make([]bool, len(tasks))
	var plain []*task.Task
	var keyed []int
	for i, t := range tasks {
		*t = asked(t)
		hash, err := requestHash(*t)
		if err != nil {
			return nil, err
		}
		t.RequestHash = hash
		if t.IdempotencyKey == "" {
			fresh[i] = true
			plain = append(plain, t)
			continue
		}
		keyed = append(keyed, i)
	}
	// Two producers that insert the same keys in one order cannot lock each other out.
	slices.SortFunc(keyed, func(i, j int) int { return cmp.Compare(tasks[i].IdempotencyKey, tasks[j].IdempotencyKey) })
	for _, i := range keyed {
		var err error
		if fresh[i], err = s.insertOnce(ctx, tx, tasks[i], unpublished); err != nil {
			return nil, err
		}
	}
	for len(plain) > 0 {
		n := min(len(plain), insertRows)
		if err := s.insertMany(ctx, tx, plain[:n], unpublished, ""); err != nil {
			return nil, err
		}
		plain = plain[n:]
	}
	var stored []*task.Task
	for i, t := range tasks {
		if fresh[i] {
			stored = append(stored, t)
		}
	}
	return fresh, s.insertParameters(ctx, tx, stored)
}

// insertOnce stores t unless its key is known, and reads the stored task then.
func (s *Store) insertOnce(ctx context.Context, tx Tx, t *task.Task, unpublished string) (bool, error) {
	err := s.insertMany(ctx, tx, []*task.Task{t}, unpublished,
		" ON CONFLICT (coalesce(user_id, 0), idempotency_key) WHERE idempotency_key IS NOT NULL DO NOTHING")
	if err != nil || t.ID != 0 {
		return err == nil, err
	}
	var user int64
	if t.UserID != nil {
		user = *t.UserID
	}
	hash, key := t.RequestHash, t.IdempotencyKey
	rows, err := tx.QueryContext(ctx, s.db.Rebind(
		"SELECT "+taskColumns+" FROM image_generations WHERE coalesce(user_id, 0) = ? AND idempotency_key = ?"),
		user, key)
	if err != nil {
		return false, err
	}
	defer rows.Close()
	var known task.Task
	if err := s.scanOne(rows, &known); err != nil {
		return false, err
	}
	if known.RequestHash != hash {
		return false, &KeyReused{Key: key, Task: known.ID}
	}
	known.Parameters = t.Parameters // the same request has the same
	*t = known
	return false, nil
}

func (s *Store) insertMany(ctx context.Context, tx Tx, tasks []*task.Task, unpublished, onConflict string) error {
	one := "(" + requestList(requestColumn.placed) + ", ?, 'pending', " + unpublished + ", now(), now())"
	query := "INSERT INTO image_generations (" + requestList(requestColumn.named) + ", request_hash, status, published_at, created_at, updated_at) VALUES " +
		strings.Repeat(one+", ", len(tasks)-1) + one + onConflict +
		" RETURNING id, request_hash, run_at, created_at"
	var args []any
	waiting := make(map[string][]*task.Task) // rows of one hash are equal, so any of them may have any of the ids
	for _, t := range tasks {
		for _, c := range requestColumns {
			args = append(args, c.value(&t.Request))
		}
		args = append(args, t.RequestHash)
		waiting[t.RequestHash] = append(waiting[t.RequestHash], t)
	}
	rows, err := tx.QueryContext(ctx, s.db.Rebind(query), args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var id int64
		var hash string
		var runAt, createdAt time.Time
		if err := rows.Scan(&id, &hash, &runAt, &createdAt); err != nil {
			return err
		}
		t := waiting[hash][0]
		waiting[hash] = waiting[hash][1:]
		t.ID, t.Status, t.RunAt, t.CreatedAt, t.UpdatedAt = id, task.Pending, runAt, createdAt, createdAt
	}
	return rows.Err()
}

func (s *Store) insertParameters(ctx context.Context, tx Tx, tasks []*task.Task) error {
	var args []any
	flush := func() error {
		n := len(args) / 3
		if n == 0 {
			return nil
		}
		query := "INSERT INTO generation_parameter (task_id, parameter_name, parameter_value) VALUES " +
			strings.Repeat("(?, ?, ?), ", n-1) + "(?, ?, ?)"
		_, err := tx.ExecContext(ctx, s.db.Rebind(query), args...)
		args = nil
		return err
	}
	for _, t := range tasks {
		for name, value := range t.Parameters {
			args = append(args, t.ID, name, value)
		}
		if len(args) >= 3*insertRows {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	return flush()
}

// asked returns what t asks for, without anything that the store fills in: a
// task that is inserted again, after an error for instance, is the same request.
func asked(t *task.Task) task.Task {
	r := t.Request
	r.ImageCount, r.MaxAttempts = max(r.ImageCount, 1), t.MaxTries()
	return task.Task{Request: r}
}

// requestHash identifies what asked returned. Rows keep it, so that its text stays: the
// parameters are its last field.
func requestHash(t task.Task) (string, error) {
	if t.IdempotencyKey != "" {
		t.RunAt, t.DeadlineAt = time.Time{}, nil // "in five minutes" is another instant in each repetition
	}
	text, err := json.Marshal(struct {
		task.Task
		Parameters map[string]string `json:"parameters,omitempty"`
	}{t, t.Parameters})
	if err != nil {
		return "", fmt.Errorf("hash the request: %w", err)
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:]), nil
}
