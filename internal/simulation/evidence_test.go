package simulation

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing/fstest"
	"time"

	"github.com/easelqueue/easel/internal/evidence"
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

// evidence are the files of a run as package check wants them.
func (w *world) evidence(ctx context.Context, faultsEnded, settled time.Time) (fstest.MapFS, error) {
	files := make(fstest.MapFS)
	put := func(name string, value any) error {
		text, err := json.Marshal(value)
		files[name] = &fstest.MapFile{Data: text}
		return err
	}
	tables, err := evidence.Tables(ctx, w.person.db)
	if err != nil {
		return nil, err
	}
	for _, rows := range tables {
		for _, row := range rows {
			mask(row, "answer")
		}
	}
	entries, err := evidence.Deliveries(ctx, w.person.redis)
	if err != nil {
		return nil, err
	}
	policy, class := make(map[string]string), make(map[string]string)
	for _, name := range w.Providers {
		class[name], policy[name] = classAndPolicy(name)
	}
	run := map[string]any{"seed": int64(w.Seed), "policy": policy, "class": class, "began": w.began, "faults_ended": faultsEnded,
		"settled": settled, "expect": map[string]int{}, "canaries": []string{accountKey, signature}}
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
	files["sinks/spilled"] = &fstest.MapFile{Data: []byte(w.book.spilled)}
	files["sinks/log"] = &fstest.MapFile{Data: []byte(w.logged.String())}
	return files, nil
}

func lines[T any](all []T) *fstest.MapFile {
	text, err := evidence.Lines(all)
	if err != nil {
		panic(err)
	}
	return &fstest.MapFile{Data: text}
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
