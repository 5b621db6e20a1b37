package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/easelqueue/easel/task"
)

func TestEnqueue(t *testing.T) {
	t.Run("A task arrives with all that was said", func(t *testing.T) {
		d := newShell(t)
		id := d.enqueue("一只红狐狸", "--size", "512x512", "--seed", "0", "--priority", "high", "--user", "7", "--count", "2",
			"--input", "https://x.test/a.png", "--input", "https://x.test/b.png", "--metadata", `{"a":1}`, "--in", "1h", "--deadline", "2h")
		var told story
		d.must(&told, "show", fmt.Sprint(id))
		got := told.Task
		if got.Prompt != "一只红狐狸" || got.Seed == nil || *got.Seed != 0 || got.Steps != nil || got.Priority != task.High || *got.UserID != 7 ||
			got.ImageCount != 2 || got.InputImageURL != "https://x.test/a.png" || got.ReferenceImages != `["https://x.test/b.png"]` ||
			got.DeadlineAt.Sub(got.RunAt) != 2*time.Hour || got.RunAt.Sub(got.CreatedAt) < 59*time.Minute {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("The same key gives the same task", func(t *testing.T) {
		d := newShell(t)
		first := d.enqueue("x", "--key", "k")
		var again enqueued
		d.must(&again, "enqueue", "x", "--key", "k")
		if again.Task.ID != first || again.Created {
			t.Errorf("got task %d, created %t", again.Task.ID, again.Created)
		}
		d.easel("enqueue", "other", "--key", "k").wants(t, 1, "already stands for task")
		if got := d.easel("enqueue", "x", "--key", "k"); got.out != "nothing new is enqueued: the key stands for task 1, which is pending; `easel show 1` tells how it goes\n" {
			t.Errorf("got %s", got.out)
		}
		complete(t, d.open(), first)
		d.easel("enqueue", "x", "--key", "k", "--wait").wants(t, 0, "nothing new is enqueued: the key stands for task 1, which is completed\n")
	})
	t.Run("A prompt may come from stdin", func(t *testing.T) {
		d := newShell(t)
		d.stdin = "two\nlines\n"
		var told story
		d.must(&told, "show", fmt.Sprint(d.enqueue("-")))
		if told.Task.Prompt != "two\nlines" {
			t.Errorf("got %q", told.Task.Prompt)
		}
	})
	t.Run("A Redis that is down loses nothing", func(t *testing.T) {
		d := newShell(t)
		d.env = []string{"EASEL_REDIS_URL=redis://127.0.0.1:1"}
		d.begin()
		d.easel("enqueue", "x").wants(t, 0, "Redis at redis://127.0.0.1:1 does not answer", "task 1 is enqueued")
	})
	t.Run("In a folder without a database nothing is enqueued, and none is made", func(t *testing.T) {
		d := newShell(t)
		writeFile(t, "tasks.jsonl", `{"prompt":"x"}`)
		here, err := os.Getwd()
		if err != nil {
			t.Fatal(err)
		}
		for _, args := range [][]string{{"x"}, {"x", "--wait"}, {"--file", "tasks.jsonl"}} {
			d.easel(append([]string{"enqueue"}, args...)...).wants(t, 1, "there is no database at "+filepath.Join(here, "easel-data", "easel.db"), "in the folder where `easel up` runs", "EASEL_DATA")
		}
		if _, err := os.Stat("easel-data"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("a folder was made: %v", err)
		}
	})
	t.Run("What is refused makes no database", func(t *testing.T) {
		d := newShell(t)
		d.easel("enqueue", "")
		d.easel("list").wants(t, 1, "there is no database")
	})
}
