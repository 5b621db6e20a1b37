package main

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"image"
	"image/png"
	"os"
	"strings"
	"testing"

	"github.com/easelqueue/easel/internal/request"
	"github.com/easelqueue/easel/task"
)

func writeFile(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestEnqueueFile(t *testing.T) {
	t.Run("Every line becomes a task, with the flags as defaults", func(t *testing.T) {
		d := newShell(t)
		d.begin()
		writeFile(t, "tasks.jsonl", `{"prompt":"one","seed":7}

{"prompt":"two","size":"64x64","priority":"low","reference_images":["https://x.test/a.png"],"metadata":{"a":1}}`)
		var answer manyEnqueued
		d.must(&answer, "enqueue", "--file", "tasks.jsonl", "--size", "32x32", "--param", "delay=1s")
		if answer.Tasks != 2 || answer.Created != 2 {
			t.Fatalf("got %+v", answer)
		}
		var one, two story
		d.must(&one, "show", fmt.Sprint(answer.IDs[0]))
		d.must(&two, "show", fmt.Sprint(answer.IDs[1]))
		if one.Task.Size != "32x32" || *one.Task.Seed != 7 || one.Task.Parameters["delay"] != "1s" {
			t.Errorf("one is %+v", one.Task)
		}
		if two.Task.Size != "64x64" || two.Task.Seed != nil || two.Task.Priority != task.Low || two.Task.Metadata != `{"a":1}` ||
			two.Task.ReferenceImages != `["https://x.test/a.png"]` {
			t.Errorf("two is %+v", two.Task)
		}
	})
	t.Run("More than a batch arrives whole", func(t *testing.T) {
		d := newShell(t)
		d.begin()
		writeFile(t, "tasks.jsonl", strings.Repeat(`{"prompt":"x"}`+"\n", batchTasks+3))
		var answer manyEnqueued
		d.must(&answer, "enqueue", "--file", "tasks.jsonl", "--from-line", "2")
		if answer.Tasks != batchTasks+2 || len(answer.IDs) != batchTasks+2 {
			t.Errorf("got %d", answer.Tasks)
		}
	})
	t.Run("--wait tells how all of them ended", func(t *testing.T) {
		d := newShell(t)
		d.begin()
		writeFile(t, "tasks.jsonl", `{"prompt":"x","idempotency_key":"a"}`+"\n"+`{"prompt":"y","idempotency_key":"b"}`)
		d.easel("enqueue", "--file", "tasks.jsonl").wants(t, 0, "2 tasks enqueued: 1 to 2")
		d.easel("enqueue", "--file", "tasks.jsonl").wants(t, 0, "nothing new is enqueued: the keys stand for 2 tasks of before: 1 to 2")
		s := d.open()
		complete(t, s, 1)
		fail(t, s, 2, &task.Failure{Kind: task.Moderated, Executed: task.NotExecuted, Message: "refused"})
		got := d.easel("enqueue", "--file", "tasks.jsonl", "--wait")
		got.wants(t, 3, "task 2 failed: refused")
		if got.out != "http://x.test/1.png\n" {
			t.Errorf("stdout holds %q", got.out)
		}
	})
	for claim, c := range map[string]struct{ line, want string }{
		"Broken JSON is refused":             {`{"prompt":`, "tasks.jsonl:2: is not a JSON object"},
		"An unknown name is refused":         {`{"prompt":"x","promt":"y"}`, `tasks.jsonl:2: "promt" is not known; did you mean prompt?`},
		"A name of the outcome is refused":   {`{"prompt":"x","status":"completed"}`, `"status" is not known`},
		"A wrong type is refused":            {`{"prompt":"x","steps":"many"}`, "tasks.jsonl:2: steps is a string; accepted is a whole number"},
		"What no worker could do is refused": {`{"prompt":"x","steps":-1}`, "tasks.jsonl:2: steps is -1; accepted are 1 to 1000"},
		"An unknown provider is refused":     {`{"prompt":"x","provider":"nope"}`, `provider "nope" is not configured`},
		"A webhook is refused":               {`{"prompt":"x","webhook_url":"https://app.test"}`, `tasks.jsonl:2: webhook_url is "https://app.test"; accepted is none`},
		"An unknown priority is refused":     {`{"prompt":"x","priority":"urgent"}`, "accepted are high, normal and low"},
		"References must be URLs":            {`{"prompt":"x","reference_images":[3]}`, "reference_images is not a JSON array of URLs"},
		"A line is bounded":                  {`{"prompt":"` + strings.Repeat("x", request.MaxLine) + `"}`, "tasks.jsonl:2: the line is longer than"},
	} {
		t.Run(claim, func(t *testing.T) {
			d := newShell(t)
			writeFile(t, "tasks.jsonl", `{"prompt":"good"}`+"\n"+c.line)
			d.easel("enqueue", "--file", "tasks.jsonl").wants(t, 2, c.want)
			d.easel("list").wants(t, 1, "there is no database")
		})
	}
	t.Run("A folder is no file", func(t *testing.T) {
		newShell(t).easel("enqueue", "--file", ".").wants(t, 2, "not a regular file")
	})
	t.Run("An empty file is a mistake", func(t *testing.T) {
		d := newShell(t)
		writeFile(t, "tasks.jsonl", "\n\n")
		d.easel("enqueue", "--file", "tasks.jsonl").wants(t, 2, "holds no tasks")
	})
}

func TestInputFiles(t *testing.T) {
	t.Run("A picture becomes a data URL", func(t *testing.T) {
		d := newShell(t)
		var picture bytes.Buffer
		if err := png.Encode(&picture, image.NewGray(image.Rect(0, 0, 8, 8))); err != nil {
			t.Fatal(err)
		}
		writeFile(t, "a.png", picture.String())
		var told story
		d.must(&told, "show", fmt.Sprint(d.enqueue("x", "--input", "a.png")))
		if want := "data:image/png;base64," + base64.StdEncoding.EncodeToString(picture.Bytes()); told.Task.InputImageURL != want {
			t.Errorf("got %q", told.Task.InputImageURL)
		}
	})
	t.Run("What is no picture is refused", func(t *testing.T) {
		d := newShell(t)
		writeFile(t, "a.png", "just text")
		d.easel("enqueue", "x", "--input", "a.png").wants(t, 2, "is not a picture but text/plain")
	})
	t.Run("A file that is too large is refused", func(t *testing.T) {
		d := newShell(t)
		writeFile(t, "a.png", "\x89PNG\x0D\x0A\x1A\x0A")
		if err := os.Truncate("a.png", maxInputFile+1); err != nil {
			t.Fatal(err)
		}
		d.easel("enqueue", "x", "--input", "a.png").wants(t, 2, "is larger than")
	})
}
