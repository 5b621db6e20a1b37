package check

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"testing/fstest"
	"time"
)

// many is evidence of n tasks: copies of the good run, each with its own ids and tags.
func many(t testing.TB, n int) *Evidence {
	small := good(t)
	e := *small
	e.Ledger, e.Clients, e.Redis, e.History, e.Tables = nil, nil, nil, nil, Tables{}
	e.Pictures = make(map[string]Picture)
	for i := range int64(n / len(small.Tables.Tasks)) {
		shift := 100 * i
		tag := func(s string) string {
			if s == "" {
				return ""
			}
			return fmt.Sprintf("%s-%d", s, i)
		}
		for _, l := range small.Ledger {
			l.Tag, l.Key, l.Job = tag(l.Tag), tag(l.Key), tag(l.Job)
			e.Ledger = append(e.Ledger, l)
		}
		for _, c := range small.Clients {
			c.Tag = tag(c.Tag)
			if c.Task != 0 {
				c.Task += shift
			}
			e.Clients = append(e.Clients, c)
		}
		for _, o := range small.History {
			o.Task += shift
			e.History = append(e.History, o)
		}
		for _, d := range small.Redis {
			var id, delivery int64
			_, _ = fmt.Sscanf(d.ID, "%d.%d", &id, &delivery)
			d.ID = fmt.Sprintf("%d.%d", id+shift, delivery)
			e.Redis = append(e.Redis, d)
		}
		for key, p := range small.Pictures {
			e.Pictures[tag(key)] = p
		}
		copyTables(&e.Tables, &small.Tables, shift, tag)
	}
	return &e
}

func copyTables(into, from *Tables, shift int64, tag func(string) string) {
	for _, r := range from.Tasks {
		r.ID, r.Prompt = r.ID+shift, tag(r.Prompt[len("a red fox in the snow ["):len(r.Prompt)-1])
		r.APIResponse = string(bytes.Repeat([]byte("x"), 1000))
		into.Tasks = append(into.Tasks, r)
	}
	for _, a := range from.Attempts {
		a.ID, a.TaskID, a.Key = a.ID+shift, a.TaskID+shift, tag(a.Key)
		into.Attempts = append(into.Attempts, a)
	}
	for _, r := range from.Results {
		r.ID, r.TaskID, r.AttemptID, r.StorageKey = r.ID+shift, r.TaskID+shift, r.AttemptID+shift, tag(r.StorageKey)
		into.Results = append(into.Results, r)
	}
}

func files(t testing.TB, e *Evidence) fstest.MapFS {
	out := fstest.MapFS{}
	put := func(name string, values ...any) {
		var b bytes.Buffer
		for _, v := range values {
			if err := json.NewEncoder(&b).Encode(v); err != nil {
				t.Fatal(err)
			}
		}
		out[name] = &fstest.MapFile{Data: b.Bytes()}
	}
	put("run.json", e.Run)
	put("tables.json", e.Tables)
	put("redis.json", e.Redis)
	put("pictures.json", e.Pictures)
	put("ledger.jsonl", anys(e.Ledger)...)
	put("clients.jsonl", anys(e.Clients)...)
	put("faults.jsonl", anys(e.Faults)...)
	put("history.jsonl", anys(e.History)...)
	return out
}

func anys[T any](all []T) []any {
	out := make([]any, len(all))
	for i, v := range all {
		out[i] = v
	}
	return out
}

// BenchmarkCheck reads and judges 30,000 tasks, a third of whose lives were hard.
func BenchmarkCheck(b *testing.B) {
	folder := files(b, many(b, 30_000))
	b.ResetTimer()
	for b.Loop() {
		e, err := Read(folder)
		if err != nil {
			b.Fatal(err)
		}
		if report := e.Judge(); !report.OK {
			b.Fatal(texts(report)[:3])
		}
	}
}

func TestMany(t *testing.T) {
	t.Run("Among 3,000 tasks the one accepted zombie is found, in seconds", func(t *testing.T) {
		e := many(t, 3_000)
		o := &e.History[slices.IndexFunc(e.History, func(o Op) bool { return o.Task > 10_000 && !o.OK && !o.Unknown })]
		o.OK = true
		began := time.Now()
		report := e.Judge()
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("took %s", took)
		}
		if all := texts(report); len(all) != 1 || len(report.Stories) != 1 || report.Stories[0].Task != o.Task {
			t.Errorf("%q", all)
		}
	})
	t.Run("Hundreds of faults cost no more than seconds", func(t *testing.T) {
		e := many(t, 3_000)
		for i := range 5_000 {
			e.Faults = append(e.Faults, Fault{At: When{e.Run.Began.Add(time.Duration(i) * time.Millisecond)}, Kind: "cut", Target: "t-000001", Ambiguous: true})
		}
		began := time.Now()
		if report := e.Judge(); !report.OK {
			t.Errorf("%q", texts(report))
		}
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("took %s", took)
		}
	})
}
