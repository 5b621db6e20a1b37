package simulation

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing/fstest"
	"time"

	"github.com/easelqueue/easel/queue"
)

// logLine returns what a line of the log says if it is about the task.
func logLine(text string, id int64) (time.Time, string, bool) {
	var l struct {
		Time    time.Time
		Task    int64
		Process string
		Message string
		Error   string
		Attempt int
	}
	if json.Unmarshal([]byte(text), &l) != nil || l.Task != id {
		return time.Time{}, "", false
	}
	return l.Time, fmt.Sprintf("%s: %s (attempt %d) %.120s", l.Process, l.Message, l.Attempt, l.Error), true
}

// delivery is an entry of the queue.
type delivery struct {
	Queue string `json:"queue"`
	ID    string `json:"id"`
	State string `json:"state"`
}

// deliveries returns what Redis holds of ours, active entries included.
func (w *world) deliveries(ctx context.Context) ([]delivery, error) {
	all := []delivery{}
	err := w.person.queue.Walk(ctx, func(r queue.Ring, s queue.State) error {
		all = append(all, delivery{r.Queue(), r.Ref.String(), string(s)})
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, name := range w.Providers {
		ids, err := w.person.redis.LRange(ctx, "asynq:{"+name+"}:active", 0, -1).Result()
		if err != nil {
			return nil, err
		}
		for _, id := range ids {
			all = append(all, delivery{name, id, "active"})
		}
	}
	return all, nil
}

// evidence are the files of a run as package check wants them.
func (w *world) evidence(ctx context.Context, faultsEnded, settled time.Time) (fstest.MapFS, error) {
	files := make(fstest.MapFS)
	put := func(name string, value any) error {
		text, err := json.Marshal(value)
		files[name] = &fstest.MapFile{Data: text}
		return err
	}
	tables := make(map[string]any)
	for _, name := range []string{"image_generations", "generation_attempt", "generation_result", "generation_parameter", "easel_worker"} {
		all, err := dump(ctx, w.person.db, name)
		if err != nil {
			return nil, err
		}
		tables[name] = all
	}
	entries, err := w.deliveries(ctx)
	if err != nil {
		return nil, err
	}
	policy, class := make(map[string]string), make(map[string]string)
	for _, name := range w.Providers {
		class[name], policy[name] = name[:1], name[2:]
	}
	run := map[string]any{"seed": int64(w.Seed), "policy": policy, "class": class, "began": w.began, "faults_ended": faultsEnded,
		"settled": settled, "expect": map[string]int{}, "canaries": []string{}}
	for name, value := range map[string]any{"tables.json": tables, "redis.json": entries, "pictures.json": w.shelf.sums(), "run.json": run} {
		if err := put(name, value); err != nil {
			return nil, err
		}
	}
	w.book.mu.Lock()
	defer w.book.mu.Unlock()
	files["ledger.jsonl"] = lines(w.book.ledger)
	files["clients.jsonl"] = lines(w.book.told)
	files["faults.jsonl"] = lines(w.book.faults)
	files["history.jsonl"] = lines(w.book.history)
	files["sinks/log"] = &fstest.MapFile{Data: []byte(w.logged.String())}
	return files, nil
}

func lines[T any](all []T) *fstest.MapFile {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	for _, one := range all {
		if err := enc.Encode(one); err != nil {
			panic(err)
		}
	}
	return &fstest.MapFile{Data: b.Bytes()}
}

// dump returns all rows of a table by the names of its columns.
func dump(ctx context.Context, db *sql.DB, table string) ([]map[string]any, error) {
	found, err := db.QueryContext(ctx, "SELECT * FROM "+table+" ORDER BY id")
	if err != nil {
		return nil, err
	}
	defer found.Close()
	names, err := found.Columns()
	if err != nil {
		return nil, err
	}
	all := []map[string]any{}
	for found.Next() {
		values, into := make([]any, len(names)), make([]any, len(names))
		for i := range values {
			into[i] = &values[i]
		}
		if err := found.Scan(into...); err != nil {
			return nil, err
		}
		row := make(map[string]any, len(names))
		for i, name := range names {
			row[name] = values[i]
		}
		all = append(all, row)
	}
	return all, found.Err()
}

// write puts files into a folder.
func write(folder string, files fstest.MapFS) error {
	return fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
		path := filepath.Join(folder, filepath.FromSlash(name))
		if err != nil || d.IsDir() {
			return os.MkdirAll(path, 0o755)
		}
		return os.WriteFile(path, files[name].Data, 0o644)
	})
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
