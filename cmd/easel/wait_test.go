package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/easelqueue/easel/task"
)

func TestWait(t *testing.T) {
	t.Run("The path of the picture is all that goes to stdout", func(t *testing.T) {
		d := newShell(t)
		d.enqueue("x", "--key", "k")
		complete(t, d.open(), 1)
		got := d.easel("enqueue", "x", "--key", "k", "--wait")
		got.wants(t, 0)
		if got.out != "http://x.test/1.png\n" {
			t.Errorf("got %q", got.out)
		}
	})
	t.Run("A task that fails ends with 3 and its reason", func(t *testing.T) {
		d := newShell(t)
		d.enqueue("x", "--key", "k")
		fail(t, d.open(), 1, &task.Failure{Kind: task.Moderated, Executed: task.NotExecuted, Message: "the prompt was refused", Code: "E7", Advice: task.Rephrase})
		got := d.easel("enqueue", "x", "--key", "k", "--wait")
		got.wants(t, 3, "task 1 failed: the prompt was refused (E7). Change the prompt or the input pictures")
		if got.out != "" {
			t.Errorf("stdout holds %q", got.out)
		}
		var answer enqueued
		got = d.easel("enqueue", "x", "--key", "k", "--wait", "--json")
		if err := json.Unmarshal([]byte(got.out), &answer); err != nil || got.code != 3 || got.errors != "" || answer.Task.ErrorKind != task.Moderated {
			t.Errorf("as JSON: %+v, %v", got, err)
		}
	})
	t.Run("It says that no worker runs, waits on, and sees the end", func(t *testing.T) {
		d := newShell(t)
		d.enqueue("x", "--key", "k")
		s := d.open()
		reader, writer := io.Pipe()
		code := make(chan int)
		go func() {
			defer writer.Close()
			code <- run(t.Context(), []string{"enqueue", "x", "--key", "k", "--wait"}, strings.NewReader(""), io.Discard, writer, nil)
		}()
		seen := readUntil(t, reader, "no worker is running: start `easel up`")
		complete(t, s, 1)
		go io.Copy(io.Discard, reader)
		if got := <-code; got != 0 {
			t.Errorf("ended with %d after %s", got, seen)
		}
	})
	t.Run("^C leaves the task and says how to look at it", func(t *testing.T) {
		d := newShell(t)
		d.enqueue("x", "--key", "k")
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		d.easelWithin(ctx, "enqueue", "x", "--key", "k", "--wait").wants(t, 130, "task 1 goes on without you", "`easel show 1`")
		var told story
		d.must(&told, "show", "1")
		if told.Task.Status != task.Pending {
			t.Errorf("the task is %s", told.Task.Status)
		}
	})
	t.Run("watch ID ends as the task does", func(t *testing.T) {
		d := newShell(t)
		d.enqueue("x")
		d.must(nil, "cancel", "1")
		d.easel("watch", "1").wants(t, 3, "cancelled")
	})
}

// readUntil reads r until words have come, which must be soon.
func readUntil(t *testing.T, r *io.PipeReader, words string) string {
	t.Helper()
	late := time.AfterFunc(20*time.Second, func() { r.CloseWithError(context.DeadlineExceeded) })
	defer late.Stop()
	var all []byte
	buf := make([]byte, 1024)
	for !bytes.Contains(all, []byte(words)) {
		n, err := r.Read(buf)
		all = append(all, buf[:n]...)
		if err != nil {
			t.Fatalf("%q did not come; got %s", words, all)
		}
	}
	return string(all)
}
