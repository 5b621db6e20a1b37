package check

import (
	"encoding/base64"
	"io/fs"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

// folder is the good evidence as files that a test may change.
func folder(t *testing.T) fstest.MapFS {
	t.Helper()
	files := fstest.MapFS{}
	from := os.DirFS("testdata/good")
	err := fs.WalkDir(from, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := fs.ReadFile(from, name)
		files[name] = &fstest.MapFile{Data: data}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestRead(t *testing.T) {
	for _, c := range []struct{ claim, file, add, says string }{
		{"A line that is no JSON is refused", "ledger.jsonl", "{", "ledger.jsonl line 19: unexpected end"},
		{"An unknown event is refused", "clients.jsonl", `{"at":"2026-03-01T10:00:00Z","event":"ack","task":1}`, `event is "ack"; accepted are acked, lost`},
		{"An unknown event of a provider is refused", "ledger.jsonl", `{"at":"2026-03-01T10:00:00Z","event":"sumbit","class":"idempotent"}`, `event is "sumbit"`},
		{"An unknown class is refused", "ledger.jsonl", `{"at":"2026-03-01T10:00:00Z","event":"submit","class":"X"}`, `class is "X"; accepted are idempotent, lookup, async, sync`},
		{"A line without a time is refused", "ledger.jsonl", `{"event":"submit","class":"idempotent"}`, "at is empty"},
		{"A time that is none is refused", "faults.jsonl", `{"at":"yesterday","kind":"kill"}`, `"yesterday" is no time`},
		{"A fault that ends before it begins is refused", "faults.jsonl", `{"at":"2026-03-01T10:00:00Z","until":"2026-03-01T09:00:00Z","kind":"kill"}`, "until is before at"},
		{"A fault without a kind is refused", "faults.jsonl", `{"at":"2026-03-01T10:00:00Z"}`, "kind is empty"},
		{"A tag that no prompt could be searched for is refused", "clients.jsonl", `{"at":"2026-03-01T10:00:00Z","event":"lost","tag":"a b"}`, `tag is "a b"`},
		{"A lost insert without a tag is refused", "clients.jsonl", `{"at":"2026-03-01T10:00:00Z","event":"lost"}`, "has no tag"},
		{"An acknowledgement without a task is refused", "clients.jsonl", `{"at":"2026-03-01T10:00:00Z","event":"acked","tag":"t"}`, "acked has no task"},
		{"A status that nobody can see is refused", "clients.jsonl", `{"at":"2026-03-01T10:00:00Z","event":"seen","task":1,"detail":"done"}`, `detail of seen is "done"`},
		{"A retry that says something else is refused", "clients.jsonl", `{"at":"2026-03-01T10:00:00Z","event":"retry","task":1,"detail":"not-charged"}`, `detail of retry is "not-charged"`},
		{"An unknown operation is refused", "history.jsonl", `{"task":1,"op":"take"}`, `op is "take"`},
		{"An operation that ends before it begins is refused", "history.jsonl", `{"task":1,"op":"claim","call":2,"return":1}`, "return 1 is before call 2"},
		{"An operation that worked without a fence is refused", "history.jsonl", `{"task":1,"op":"claim","ok":true}`, "claim worked and has no fence"},
		{"An operation on no task is refused", "history.jsonl", `{"op":"claim"}`, "claim has no task"},
		{"A status of an operation that is none is refused", "history.jsonl", `{"task":1,"op":"fail","status":"dead"}`, `status is "dead"`},
		{"A file with two values is refused", "redis.json", "[]", "there is more after"},
	} {
		t.Run(c.claim, func(t *testing.T) {
			files := folder(t)
			files[c.file].Data = append(files[c.file].Data, c.add...)
			if _, err := Read(files); err == nil || !strings.Contains(err.Error(), c.file) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v, want it to name %s and say %q", err, c.file, c.says)
			}
		})
	}
	for _, c := range []struct{ claim, file, content, says string }{
		{"An id that is there twice is refused", "tables.json", `{"image_generations":[{"id":1,"status":"failed"},{"id":1,"status":"failed"}]}`, "id 1 twice"},
		{"An attempt that is there twice is refused", "tables.json", `{"generation_attempt":[{"id":1,"state":"failed"},{"id":1,"state":"failed"}]}`, "id 1 twice"},
		{"A status that is none is refused", "tables.json", `{"image_generations":[{"id":1,"status":"running"}]}`, `status is "running"`},
		{"A state that is none is refused", "tables.json", `{"generation_attempt":[{"id":1,"state":"lost"}]}`, `state is "lost"`},
		{"A place that Redis does not have is refused", "redis.json", `[{"id":"1.0","state":"gone"}]`, `state of 1.0 is "gone"`},
		{"A run that never settled is refused", "run.json", `{}`, "settled is empty"},
		{"A policy that is none is refused", "run.json", `{"settled":"2026-03-01T10:00:00Z","policy":{"cinema":"resend"}}`, `policy of cinema is "resend"`},
		{"A canary that is found by chance is refused", "run.json", `{"settled":"2026-03-01T10:00:00Z","canaries":["abc"]}`, "canary 0 has 3 bytes"},
	} {
		t.Run(c.claim, func(t *testing.T) {
			files := folder(t)
			files[c.file].Data = []byte(c.content)
			if _, err := Read(files); err == nil || !strings.Contains(err.Error(), c.file) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v, want it to name %s and say %q", err, c.file, c.says)
			}
		})
	}
	t.Run("A canary of eight bytes is long enough", func(t *testing.T) {
		files := folder(t)
		files["run.json"].Data = []byte(`{"settled":"2026-03-01T10:00:00Z","canaries":["12345678"]}`)
		if _, err := Read(files); err != nil {
			t.Error(err)
		}
	})
	t.Run("A book that must be there is missed, all of them at once", func(t *testing.T) {
		_, err := Read(fstest.MapFS{})
		for _, name := range []string{"run.json", "tables.json", "redis.json", "pictures.json", "ledger.jsonl", "clients.jsonl"} {
			if err == nil || !strings.Contains(err.Error(), name) {
				t.Errorf("%v does not name %s", err, name)
			}
		}
	})
	t.Run("Books that may be absent are empty", func(t *testing.T) {
		files := folder(t)
		for name := range files {
			if name == "faults.jsonl" || name == "history.jsonl" || strings.HasPrefix(name, "sinks/") {
				delete(files, name)
			}
		}
		e, err := Read(files)
		if err != nil || len(e.Faults)+len(e.History) != 0 || e.Searched != 3 {
			t.Errorf("%v, %d faults, %d operations, %d files searched", err, len(e.Faults), len(e.History), e.Searched)
		}
	})
}

func TestCanaries(t *testing.T) {
	const secret = "sk-canary-4e1f/9+aQ" // one of those in run.json
	basic := base64.StdEncoding.EncodeToString([]byte("easel:" + secret + ":x"))
	across := strings.Repeat("x", chunk-5)
	for _, c := range []struct {
		claim, file, text string
		offset            int64
	}{
		{"A secret in a log is found", "sinks/worker.log", "bearer " + secret, 7},
		{"A secret in a folder of sinks is found", "sinks/pages/1.html", secret, 0},
		{"A secret in a URL is found", "sinks/url", "?key=sk-canary-4e1f%2F9%2BaQ&x", 5},
		{"A secret in a path is found", "sinks/path", "/sk-canary-4e1f%2F9+aQ/x", 1},
		{"A secret in basic authentication is found", "sinks/basic", basic, 8},
		{"A secret in hex is found", "sinks/hex", "736b2d63616e6172792d346531662f392b6151", 0},
		{"A secret across two reads is found", "sinks/long", strings.Repeat("x", chunk) + across + secret, 2*chunk - 5},
		{"A secret in a table is found", "tables.json", `{"x":"` + secret + `"}`, 6},
		{"A secret that a client was told is found", "clients.jsonl", `{"at":"2026-03-01T10:00:00Z","event":"acked","task":1,"door":"` + secret + `"}`, 62},
	} {
		t.Run(c.claim, func(t *testing.T) {
			files := folder(t)
			files[c.file] = &fstest.MapFile{Data: []byte(c.text)}
			e, err := Read(files)
			if diff := cmp.Diff([]Hit{{File: c.file, Offset: c.offset}}, e.Hits); err != nil || diff != "" {
				t.Fatalf("%v\n%s", err, diff)
			}
			for _, v := range e.Judge().Judgements {
				if v.ID == "I10" && v.State != Violated {
					t.Errorf("I10 %s", v.State)
				}
				for _, one := range v.Violations {
					if strings.Contains(one.Text, secret) {
						t.Errorf("the report shows the secret: %s", one.Text)
					}
				}
			}
		})
	}
	t.Run("A secret in a sink is the only thing that is wrong", func(t *testing.T) {
		spoiled{"", "I10", "canary 0 is in sinks/worker.log", func(e *Evidence) {
			files := folder(t)
			files["sinks/worker.log"].Data = []byte(secret)
			found, err := Read(files)
			if err != nil {
				t.Fatal(err)
			}
			*e = found
		}}.run(t)
	})
}
