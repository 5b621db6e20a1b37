package main

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/easelqueue/easel/internal/cli"
	"github.com/easelqueue/easel/task"
)

func TestAdvice(t *testing.T) {
	d := newShell(t)
	d.enqueue("x", "--key", "a")
	d.enqueue("y", "--key", "b")
	fail(t, d.open(), 1, &task.Failure{Kind: task.Deadline, Executed: task.NotExecuted, Message: "too late", Advice: task.ExtendDeadline})
	fail(t, d.open(), 2, &task.Failure{Kind: task.Auth, Executed: task.NotExecuted, Message: "the key is refused", Advice: task.GiveKey, About: "PAINTER_KEY"})
	t.Run("The terminal says what to type, and the row does not", func(t *testing.T) {
		d.easel("dlq").wants(t, 0, "too late. Give it a later deadline_at, or retry it: that drops one that has passed", "easel retry 1", "easel doctor")
		d.easel("show", "2").wants(t, 0, "the key is refused. Set PAINTER_KEY in the environment of easel", "`easel retry 2`")
	})
	t.Run("Programs get the code and its argument", func(t *testing.T) {
		var told story
		d.must(&told, "show", "2")
		want := task.RowError{ErrorMsg: "the key is refused. Set PAINTER_KEY in the environment of easel", ErrorKind: task.Auth, ErrorAdvice: task.GiveKey, ErrorAbout: "PAINTER_KEY"}
		if diff := cmp.Diff(want, told.Task.RowError); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff(want, told.Attempts[0].RowError); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("A request that is refused names what to type, and for programs the code", func(t *testing.T) {
		d.easel("enqueue", "x", "--provider", "nope").wants(t, 2, "Correct its name, or configure it: set its key or name it in easel.yaml: `easel help environment`")
		got := d.easel("enqueue", "x", "--provider", "nope", "--json")
		var answer struct{ Error cli.Problem }
		if err := json.Unmarshal([]byte(got.errors), &answer); err != nil {
			t.Fatal(err, got)
		}
		want := cli.Problem{Message: answer.Error.Message, Kind: "invalid", Exit: 2, Advice: "configure_provider", Next: "Correct its name, or configure it: set its key or name it in easel.yaml"}
		if diff := cmp.Diff(want, answer.Error); diff != "" {
			t.Error(diff)
		}
	})
}
