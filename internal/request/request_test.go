package request

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/easelqueue/easel/task"
)

func TestParse(t *testing.T) {
	seed := int64(7)
	base := task.Task{Request: task.Request{Provider: "sketch", Size: "32x32", Parameters: map[string]string{"delay": "1s"}}}
	for claim, c := range map[string]struct {
		object string
		want   task.Request
		wrong  string
	}{
		"What is not said is as the base has it": {object: `{"prompt":"one","seed":7}`,
			want: task.Request{Provider: "sketch", Size: "32x32", Parameters: map[string]string{"delay": "1s"}, Prompt: "one", Seed: &seed}},
		"What is said counts": {object: `{"prompt":"two","size":"64x64","parameters":{"mode":"async"}}`,
			want: task.Request{Provider: "sketch", Size: "64x64", Parameters: map[string]string{"delay": "1s", "mode": "async"}, Prompt: "two"}},
		"Lists, objects and words are spelled out": {object: `{"reference_images":["https://x.test/a.png"],"metadata":{"a":1},"fallbacks":null,"priority":"low"}`,
			want: task.Request{Provider: "sketch", Size: "32x32", Parameters: map[string]string{"delay": "1s"}, ReferenceImages: `["https://x.test/a.png"]`, Metadata: `{"a":1}`, Priority: task.Low}},
		"What is no object is refused":       {object: `[]`, wrong: "is not a JSON object"},
		"A word of the outcome is not known": {object: `{"status":"completed"}`, wrong: `"status" is not known; known are `},
		"A misspelt name has a neighbour":    {object: `{"promt":"x"}`, wrong: `"promt" is not known; did you mean prompt?`},
		"A type that is wrong is named":      {object: `{"steps":"many"}`, wrong: "steps is a string; accepted is a whole number"},
		"A number that is wrong is named":    {object: `{"cfg_scale":"high"}`, wrong: "cfg_scale is a string; accepted is a number"},
		"A priority that is none is refused": {object: `{"priority":"urgent"}`, wrong: `priority is "urgent"; accepted are high, normal and low`},
	} {
		t.Run(claim, func(t *testing.T) {
			got, err := Parse([]byte(c.object), &base)
			switch {
			case c.wrong != "":
				if err == nil || !strings.Contains(err.Error(), c.wrong) {
					t.Errorf("got %v, want %q", err, c.wrong)
				}
			case err != nil:
				t.Error(err)
			default:
				if diff := cmp.Diff(c.want, got.Request); diff != "" {
					t.Errorf("wanted (-), got (+):\n%s", diff)
				}
			}
			if diff := cmp.Diff(map[string]string{"delay": "1s"}, base.Parameters); diff != "" {
				t.Errorf("the base has changed:\n%s", diff)
			}
		})
	}
}

func TestFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tasks.jsonl")
	if err := os.WriteFile(path, []byte("{\"prompt\":\"one\"}\n\n{\"prompt\":\"two\"}\n{}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	read := func(from int) (map[int]string, error) {
		all := map[int]string{}
		err := (&File{Path: path, From: from, Base: &task.Task{}}).Each(func(n, _ int, one *task.Task, err error) error {
			all[n] = one.Prompt
			return err
		})
		return all, err
	}
	t.Run("Lines are counted from 1, and empty ones are passed over", func(t *testing.T) {
		for from, want := range map[int]map[int]string{1: {1: "one", 3: "two", 4: ""}, 2: {3: "two", 4: ""}, 5: {}} {
			got, err := read(from)
			if diff := cmp.Diff(want, got); diff != "" || err != nil {
				t.Errorf("from %d: %v, wanted (-), got (+):\n%s", from, err, diff)
			}
		}
	})
	t.Run("Twenty mistakes are named, and all tasks counted", func(t *testing.T) {
		if err := os.WriteFile(path, []byte(strings.Repeat("{}\n", maxMistakes+5)), 0o600); err != nil {
			t.Fatal(err)
		}
		count, mistakes, err := (&File{Path: path, From: 1, Base: &task.Task{}}).Check((*task.Task).Validate)
		if err != nil || count != maxMistakes+5 || len(mistakes) != maxMistakes || !strings.HasPrefix(mistakes[0], "tasks.jsonl:1: ") {
			t.Errorf("got %d, %q, %v", count, mistakes, err)
		}
	})
	t.Run("What is no file of lines is told apart from what is done with them", func(t *testing.T) {
		for _, wrong := range []string{filepath.Join(path, "x"), filepath.Dir(path)} {
			_, _, err := (&File{Path: wrong, From: 1, Base: &task.Task{}}).Check((*task.Task).Validate)
			if _, ok := err.(*Unreadable); !ok {
				t.Errorf("%s: %v", wrong, err)
			}
		}
	})
}
