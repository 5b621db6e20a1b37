package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/easelqueue/easel/internal/app"
	"github.com/easelqueue/easel/internal/cli"
	"github.com/easelqueue/easel/internal/servertest"
	"github.com/easelqueue/easel/internal/tables"
	"github.com/easelqueue/easel/migrations"
	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
)

// canary is a secret that must not be seen anywhere.
const canary = "sk-canary-0123456789"

// shell is one person at a terminal, with a data folder of their own.
type shell struct {
	t     *testing.T
	data  string
	env   []string
	stdin string
}

func newShell(t *testing.T) *shell {
	t.Helper()
	t.Chdir(t.TempDir())
	return &shell{t: t, data: "easel-data"}
}

// said is what a command left behind.
type said struct {
	code        int
	out, errors string
}

func (d *shell) easel(args ...string) said {
	d.t.Helper()
	return d.easelWithin(d.t.Context(), args...)
}

func (d *shell) easelWithin(ctx context.Context, args ...string) said {
	var out, errs bytes.Buffer
	code := run(ctx, args, strings.NewReader(d.stdin), &out, &errs, d.env)
	return said{code, out.String(), errs.String()}
}

// must runs a command that has to work, and reads its JSON into v if v is not nil.
func (d *shell) must(v any, args ...string) said {
	d.t.Helper()
	if v != nil {
		args = append(args, "--json")
	}
	got := d.easel(args...)
	if got.code != cli.ExitOK {
		d.t.Fatalf("%q ended with %d: %s", args, got.code, got.errors)
	}
	if v != nil {
		if err := json.Unmarshal([]byte(got.out), v); err != nil {
			d.t.Fatalf("%q printed %s: %v", args, got.out, err)
		}
	}
	return got
}

func (d *shell) enqueue(args ...string) int64 {
	d.t.Helper()
	var answer enqueued
	d.must(&answer, append([]string{"enqueue"}, args...)...)
	return answer.Task.ID
}

func (d *shell) open() *store.Store {
	d.t.Helper()
	s, err := store.Open(d.t.Context(), "sqlite:"+filepath.Join(d.data, "easel.db"))
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { s.Close() })
	return s
}

// claim takes a task as a worker does.
func claim(t *testing.T, s *store.Store, id int64) (*task.Task, *task.Attempt) {
	t.Helper()
	row, err := s.Get(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	c, refused, err := s.Claim(t.Context(), row.Ref(), "w1", time.Minute)
	if err != nil || c == nil {
		t.Fatalf("claim of %d: %+v, %v", id, refused, err)
	}
	a := &task.Attempt{Key: fmt.Sprint("key-", id, row.Delivery), Provider: row.Provider, Account: "main"}
	if err := tables.Begin(t.Context(), s, c.Task, a); err != nil {
		t.Fatal(err)
	}
	return c.Task, a
}

func complete(t *testing.T, s *store.Store, id int64) {
	t.Helper()
	row, a := claim(t, s, id)
	micros := int64(5_000)
	a.State, a.CostMicros, a.Currency = task.AttemptAnswered, &micros, "USD"
	if err := tables.Err(s.Record(t.Context(), store.Answered{Held: row.Token(), Attempt: *a, JobID: "job"})); err != nil {
		t.Fatal(err)
	}
	err := tables.Err(s.Finish(t.Context(), store.Completed{Held: row.Token(), Attempt: a, Completion: store.Completion{Results: []task.Result{{TaskID: id, AttemptID: a.ID, GeneratedImageURL: "http://x.test/1.png",
		ContentType: "image/png", FileSize: 1234, Width: 64, Height: 32, SHA256: "00", StorageKey: "1/1-0.png"}}}}))
	if err != nil {
		t.Fatal(err)
	}
}

func fail(t *testing.T, s *store.Store, id int64, f *task.Failure) {
	t.Helper()
	row, a := claim(t, s, id)
	a.State, a.RowError = task.AttemptFailed, f.RowError()
	if f.Executed == task.Unknown {
		a.State = task.AttemptUnknown
	}
	if err := tables.Err(s.Finish(t.Context(), store.Decided{Held: row.Token(), Decision: task.Decision{Status: task.Failed, FailedTries: 1, Failure: f}, Attempt: a})); err != nil {
		t.Fatal(err)
	}
}

func (s said) wants(t *testing.T, code int, words ...string) {
	t.Helper()
	if s.code != code {
		t.Errorf("ended with %d, want %d: %s", s.code, code, s.errors)
	}
	for _, w := range words {
		if !strings.Contains(s.out+s.errors, w) {
			t.Errorf("%q is missing in:\n%s%s", w, s.out, s.errors)
		}
	}
}

func TestBadInput(t *testing.T) {
	for claim, c := range map[string]struct {
		args []string
		env  string
		code int
		want string
	}{
		"An unknown provider is refused":                 {[]string{"enqueue", "x", "--provider", "nope"}, "", 2, `provider "nope" is not configured; configured are: sketch; without an account are: openai, volcengine`},
		"An empty prompt is refused":                     {[]string{"enqueue", " "}, "", 2, "prompt is empty"},
		"A missing prompt is refused":                    {[]string{"enqueue"}, "", 2, "PROMPT is missing"},
		"Negative steps are refused":                     {[]string{"enqueue", "x", "--steps", "-3"}, "", 2, "steps is -3; accepted are 1 to 1000"},
		"No pictures are refused":                        {[]string{"enqueue", "x", "--count", "0"}, "", 2, "--count is 0; accepted are 1 to 15"},
		"Broken references are refused":                  {[]string{"enqueue", "x", "--reference-images", "[broken"}, "", 2, "reference_images is not a JSON array"},
		"An unknown flag is refused":                     {[]string{"enqueue", "x", "--stpes", "3"}, "", 2, "unknown flag: --stpes; see `easel enqueue --help`"},
		"A flag's value is checked":                      {[]string{"enqueue", "x", "--steps", "many"}, "", 2, `--steps is "many"; accepted are whole numbers`},
		"A missing id is named":                          {[]string{"show"}, "", 2, "the ID is missing; see `easel show --help`"},
		"One id too many is named":                       {[]string{"show", "1", "2"}, "", 2, "\"2\" is too much: `easel show` takes one ID"},
		"A word too many is named":                       {[]string{"list", "foo"}, "", 2, "\"foo\" is too much: `easel list` takes flags only"},
		"An unknown command under one that also works":   {[]string{"queues", "puase", "x"}, "", 2, "did you mean easel queues pause?"},
		"Up says where its address comes from":           {[]string{"up", "--port", "3"}, "", 2, "the address of the pages is EASEL_LISTEN"},
		"A prompt may begin with a dash after two":       {[]string{"enqueue", "-5"}, "", 2, "a prompt that begins with - comes after --"},
		"A duration is asked for with an example":        {[]string{"enqueue", "x", "--in", "tomorrow"}, "", 2, `--in is "tomorrow"; accepted are durations such as 90m`},
		"A slip in a provider's name is corrected":       {[]string{"enqueue", "x", "--provider", "opnai"}, "", 2, "volcengine (did you mean openai?). Correct its name, or configure it"},
		"A size out of range is refused":                 {[]string{"enqueue", "x", "--size", "999999x999999"}, "", 2, "size"},
		"An unknown parameter is refused":                {[]string{"enqueue", "x", "--param", "colour=red"}, "", 2, "colour"},
		"A parameter has a name and a value":             {[]string{"enqueue", "x", "--param", "colour"}, "", 2, "accepted is name=value"},
		"A parameter is given once":                      {[]string{"enqueue", "x", "--param", "a=1", "--param", "a=2"}, "", 2, "given twice"},
		"An input must exist":                            {[]string{"enqueue", "x", "--input", "nowhere.png"}, "", 2, "no such file"},
		"An unknown priority is refused":                 {[]string{"enqueue", "x", "--priority", "urgent"}, "", 2, "accepted are high, normal and low"},
		"A bad moment is refused":                        {[]string{"enqueue", "x", "--at", "tomorrow"}, "", 2, `--at is "tomorrow"`},
		"A deadline in the past is refused":              {[]string{"enqueue", "x", "--deadline", "2001-01-01"}, "", 2, "still to come"},
		"A missing key names its variable":               {[]string{"enqueue", "x", "--provider", "openai"}, "", 2, "Set OPENAI_API_KEY"},
		"Metadata is JSON":                               {[]string{"enqueue", "x", "--metadata", "{"}, "", 2, "metadata is not JSON"},
		"An unknown command names the near one":          {[]string{"lst"}, "", 2, "did you mean easel list?"},
		"An unknown command of a group is refused":       {[]string{"migrate", "sideways"}, "", 2, `command "sideways" is not known`},
		"An id is a number":                              {[]string{"show", "abc"}, "", 2, `"abc" is not the id of a task`},
		"An unknown status is refused":                   {[]string{"list", "--status", "done"}, "", 2, `--status is "done"; accepted are pending, processing`},
		"A page begins at an id":                         {[]string{"list", "--before", "-5"}, "", 2, "--before is -5; accepted is the id of a task"},
		"A fallback is named once":                       {[]string{"enqueue", "--provider", "sketch", "--fallback", "openai", "--fallback", "openai", "a fox"}, "", 2, "--fallback \"openai\" is given twice"},
		"A limit has bounds":                             {[]string{"list", "--limit", "0"}, "", 2, "--limit is 0; accepted are 1 to"},
		"A database that is not there says who makes it": {[]string{"list"}, "", 1, "`easel up`"},
		"A database server that is down is named":        {[]string{"list"}, "EASEL_DATABASE_URL=postgres://u:" + canary + "@127.0.0.1:1/x", 1, "cannot reach the database 127.0.0.1:1/x"},
		"A wrong configuration is no failure":            {[]string{"list"}, "EASEL_DRAIN=x", 2, "EASEL_DRAIN"},
		"Retry wants to know which":                      {[]string{"retry"}, "", 2, "say which"},
		"Retry takes ids or flags":                       {[]string{"retry", "1", "--kind", "auth"}, "", 2, "not both"},
		"A script must mean a retry of many":             {[]string{"retry", "--status", "completed", "--yes"}, "", 2, "only failed and cancelled"},
	} {
		t.Run(claim, func(t *testing.T) {
			d := newShell(t)
			d.env = []string{c.env}
			got := d.easel(c.args...)
			got.wants(t, c.code, c.want)
			if got.out != "" || !strings.HasPrefix(got.errors, "easel: ") || strings.Contains(got.errors, "goroutine") {
				t.Errorf("printed %q and %q", got.out, got.errors)
			}
			asJSON := d.easel(append(c.args, "--json")...)
			var object struct{ Error cli.Problem }
			if err := json.Unmarshal([]byte(asJSON.errors), &object); err != nil || object.Error.Exit != c.code || object.Error.Message == "" {
				t.Errorf("as JSON: %q, %v", asJSON.errors, err)
			}
			if strings.Contains(got.errors+asJSON.errors, canary) {
				t.Error("a secret is shown")
			}
		})
	}
}

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
		d.easel("enqueue", "x").wants(t, 0, "Redis at redis://127.0.0.1:1 does not answer", "task 1 is enqueued")
	})
	t.Run("What is refused makes no database", func(t *testing.T) {
		d := newShell(t)
		d.easel("enqueue", "")
		d.easel("list").wants(t, 1, "there is no database")
	})
}

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

func TestList(t *testing.T) {
	d := newShell(t)
	for i := range 5 {
		d.enqueue(fmt.Sprint("prompt ", i))
	}
	fail(t, d.open(), 2, &task.Failure{Kind: task.Auth, Executed: task.NotExecuted, Message: "bad key"})
	for claim, c := range map[string]struct {
		args []string
		ids  string
		next int64
	}{
		"The newest come first":             {nil, "[5 4 3 2 1]", 0},
		"A page says where the next begins": {[]string{"--limit", "2"}, "[5 4]", 4},
		"The next page goes on":             {[]string{"--limit", "2", "--before", "4"}, "[3 2]", 2},
		"The last page says that it is":     {[]string{"--limit", "5"}, "[5 4 3 2 1]", 0},
		"A status picks":                    {[]string{"--status", "failed,cancelled"}, "[2]", 0},
		"A kind picks":                      {[]string{"--kind", "auth"}, "[2]", 0},
		"A provider picks":                  {[]string{"--provider", "openai"}, "[]", 0},
		"A time picks":                      {[]string{"--since", "1h", "--status", "pending"}, "[5 4 3 1]", 0},
	} {
		t.Run(claim, func(t *testing.T) {
			var p page
			d.must(&p, append([]string{"list"}, c.args...)...)
			ids := []int64{}
			for _, row := range p.Tasks {
				ids = append(ids, row.ID)
			}
			if fmt.Sprint(ids) != c.ids || p.NextBefore != c.next {
				t.Errorf("got %v, next %d", ids, p.NextBefore)
			}
		})
	}
}

func TestTablesAlign(t *testing.T) {
	d := newShell(t)
	d.enqueue("一只红狐狸")
	d.enqueue("a red fox")
	s := d.open()
	fail(t, s, 1, &task.Failure{Kind: task.Auth, Executed: task.NotExecuted, Message: "bad key"})
	fail(t, s, 2, &task.Failure{Kind: task.Auth, Executed: task.NotExecuted, Message: "bad key"})
	lines := strings.Split(d.must(nil, "list").out, "\n")
	// A Chinese character takes two columns but three bytes, so what stands in the
	// same column after five of them is five bytes further.
	ascii, han := strings.Index(lines[1], "bad key"), strings.Index(lines[2], "bad key")
	if ascii < 0 || han-ascii != len("一只红狐狸")-2*5 {
		t.Errorf("the columns do not align:\n%s", strings.Join(lines, "\n"))
	}
}

func TestShow(t *testing.T) {
	d := newShell(t)
	d.enqueue("a \x1b[31mred\x1b[0m fox\x07\u202e", "--size", "64x64", "--param", "delay=1s")
	s := d.open()
	complete(t, s, 1)
	got := d.must(nil, "show", "1")
	got.wants(t, 0, "Task 1  completed", "a red fox\n", "64x64", "0.005 USD", "succeeded", "http://x.test/1.png")
	if strings.ContainsAny(got.out, "\x1b\x07\u202e") {
		t.Errorf("control characters are printed: %q", got.out)
	}
	d.easel("show", "99").wants(t, 1, "task 99: no such task; see `easel list`")
}

func TestRetryAndCancel(t *testing.T) {
	unknown := &task.Failure{Kind: task.OutcomeUnknown, Executed: task.Unknown, Message: "nobody knows"}
	setup := func(t *testing.T) (*shell, *store.Store) {
		d := newShell(t)
		for range 4 {
			d.enqueue("x")
		}
		s := d.open()
		fail(t, s, 1, &task.Failure{Kind: task.Auth, Executed: task.NotExecuted, Message: "bad key"})
		fail(t, s, 2, unknown)
		return d, s
	}
	status := func(t *testing.T, s *store.Store, id int64) task.Status {
		got, err := s.Get(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		return got.Status
	}
	t.Run("A failed task is pending again", func(t *testing.T) {
		d, s := setup(t)
		d.easel("retry", "1").wants(t, 0, "task 1 is pending again")
		if got := status(t, s, 1); got != task.Pending {
			t.Errorf("it is %s", got)
		}
	})
	lastCall := func(t *testing.T, s *store.Store, id int64) task.AttemptState {
		attempts, err := s.Attempts(t.Context(), id)
		if err != nil || len(attempts) != 1 {
			t.Fatalf("%d attempts, %v", len(attempts), err)
		}
		return attempts[0].State
	}
	t.Run("What may have been charged is retried, and its call stays in doubt", func(t *testing.T) {
		d, s := setup(t)
		d.easel("show", "2").wants(t, 0, "`easel retry 2`: that asks the provider again and buys nothing", "`easel retry --not-charged 2` sends it again")
		d.easel("retry", "2").wants(t, 0, "task 2 is pending again")
		if got := lastCall(t, s, 2); got != task.AttemptUnknown {
			t.Errorf("its call is %s", got)
		}
	})
	t.Run("Where nobody can be asked nothing says that somebody is", func(t *testing.T) {
		d, _ := setup(t)
		d.env = append(d.env, "OPENAI_API_KEY=a-key")
		id := d.enqueue("x", "--provider", "openai", "--model", "gpt-image-2")
		s := d.open()
		fail(t, s, id, unknown)
		reason := "nobody knows"
		for _, args := range [][]string{{"show", fmt.Sprint(id)}, {"dlq"}, {"retry", fmt.Sprint(id)}} {
			if got := d.easel(args...); strings.Contains(strings.ToLower(got.out+got.errors), "asks the provider") || strings.Contains(got.out+got.errors, "buys nothing") {
				t.Errorf("%q says %s%s", args, got.out, got.errors)
			}
		}
		d.easel("show", fmt.Sprint(id)).wants(t, 0, "https://platform.openai.com/usage", fmt.Sprintf("`easel retry %d --not-charged`", id), fmt.Sprintf("`easel give-up %d`", id), reason)
		d.easel("dlq").wants(t, 0, "look each up at the provider")
		d.easel("retry", fmt.Sprint(id)).wants(t, 1, "was not retried")
		if row, err := s.Get(t.Context(), id); err != nil || row.Status != task.Failed || !strings.Contains(row.ErrorMsg, reason) {
			t.Errorf("it is %+v, %v", row, err)
		}
		d.easel("give-up", fmt.Sprint(id)).wants(t, 0, "is given up: its call was charged")
		d.easel("show", fmt.Sprint(id)).wants(t, 0, "charged", reason)
		d.easel("give-up", fmt.Sprint(id)).wants(t, 1, "cannot be given up")
	})
	t.Run("Only a person's word says that a call was not charged", func(t *testing.T) {
		d, s := setup(t)
		d.easel("retry", "2", "--not-charged").wants(t, 0, "task 2 is pending again")
		if got := lastCall(t, s, 2); got != task.AttemptRejected {
			t.Errorf("its call is %s", got)
		}
	})
	t.Run("Pictures that are in storage already are taken by a retry, and only what is missing is bought", func(t *testing.T) {
		d, s := setup(t)
		for _, statement := range []string{
			"UPDATE generation_attempt SET state = 'succeeded' WHERE task_id = 2",
			`INSERT INTO generation_result (task_id, attempt_id, generated_image_url, storage_key)
				SELECT task_id, id, 'http://x.test/2.png', '2/1-0.png' FROM generation_attempt WHERE task_id = 2`,
			"UPDATE image_generations SET error_kind = 'timeout' WHERE id = 2",
		} {
			if _, err := s.DB().ExecContext(t.Context(), statement); err != nil {
				t.Fatal(err)
			}
		}
		d.easel("show", "2").wants(t, 0, "`easel retry 2`: that takes the pictures that are in storage already, and buys nothing")
		d.easel("retry", "2").wants(t, 0, "task 2 is pending again: pictures that are in storage already are taken, and nothing is bought")
		if _, err := s.DB().ExecContext(t.Context(), "UPDATE image_generations SET status = 'failed', image_count = 2 WHERE id = 2; UPDATE generation_attempt SET images = 1"); err != nil {
			t.Fatal(err)
		}
		d.easel("retry", "2").wants(t, 0, "task 2 is pending again: a new call is made")
	})
	t.Run("What was paid for is collected by a retry, and bought again by a confirmed word", func(t *testing.T) {
		d, s := setup(t)
		if _, err := s.DB().ExecContext(t.Context(), "UPDATE generation_attempt SET state = 'answered', cost_micros = 40000, currency = 'USD' WHERE task_id = 2"); err != nil {
			t.Fatal(err)
		}
		d.easel("show", "2").wants(t, 0, "that collects what was paid for and does not pay for it twice", "`easel retry --buy-again 2`")
		d.easel("retry", "1", "--buy-again", "--yes").wants(t, 1, "task 1 has no call that was paid for and not collected")
		d.easel("retry", "2", "--buy-again").wants(t, 2, "This gives up call 1 of task 2, answered at", "Pay once more?", "say --yes")
		d.easel("retry", "2", "--buy-again", "--not-charged").wants(t, 2, "give either")
		d.easel("retry", "--status", "failed", "--buy-again").wants(t, 2, "--buy-again takes the IDs of tasks")
		if got := lastCall(t, s, 2); got != task.AttemptAnswered {
			t.Errorf("its call is %s before anybody has confirmed", got)
		}
		d.easel("retry", "2", "--buy-again", "--yes").wants(t, 0, "task 2 is pending again: what it has paid for is given up, and a new call is made")
		if got := lastCall(t, s, 2); got != task.AttemptFailed {
			t.Errorf("its call is %s", got)
		}
	})
	t.Run("A retry says whether it would buy", func(t *testing.T) {
		d, s := setup(t)
		if _, err := s.DB().ExecContext(t.Context(), "UPDATE generation_attempt SET state = 'answered' WHERE task_id = 2"); err != nil {
			t.Fatal(err)
		}
		d.easel("retry", "1", "2").wants(t, 0, "task 1 is pending again: a new call is made", "task 2 is pending again: what was paid for is collected, and nothing is bought")
	})
	t.Run("One refusal does not keep the others", func(t *testing.T) {
		d, s := setup(t)
		d.easel("retry", "3", "1", "99").wants(t, 1, "task 1 is pending again", "task 3 is pending and cannot be retried", "task 99: no such task; see `easel list`")
		if got := status(t, s, 1); got != task.Pending {
			t.Errorf("it is %s", got)
		}
	})
	t.Run("A script that retries many must say that it means it", func(t *testing.T) {
		d, s := setup(t)
		d.easel("retry", "--status", "failed").wants(t, 2, "2 tasks would be retried. ", "say --yes")
		d.easel("retry", "--status", "failed", "--not-charged").wants(t, 2, "paid for twice", "say --yes")
		if got := status(t, s, 1); got != task.Failed {
			t.Errorf("it is %s", got)
		}
	})
	t.Run("A filter takes what may have been charged too, and leaves it in doubt", func(t *testing.T) {
		d, s := setup(t)
		var answer retriedAll
		d.must(&answer, "retry", "--status", "failed", "--yes")
		if answer != (retriedAll{2, 2}) || status(t, s, 1) != task.Pending || status(t, s, 2) != task.Pending {
			t.Errorf("got %+v, and 2 is %s", answer, status(t, s, 2))
		}
		if got := lastCall(t, s, 2); got != task.AttemptUnknown {
			t.Errorf("its call is %s", got)
		}
	})
	t.Run("A kind picks what may have been charged", func(t *testing.T) {
		d, s := setup(t)
		var answer retriedAll
		d.must(&answer, "retry", "--kind", "outcome_unknown", "--yes")
		if answer != (retriedAll{1, 1}) || status(t, s, 1) != task.Failed {
			t.Errorf("got %+v, and 1 is %s", answer, status(t, s, 1))
		}
	})
	t.Run("Tasks that have not failed are not picked to be retried", func(t *testing.T) {
		d, _ := setup(t)
		d.easel("retry", "--status", "pending", "--yes").wants(t, 2, "only failed and cancelled tasks can be retried")
	})
	t.Run("Failed and cancelled tasks are retried together", func(t *testing.T) {
		d, _ := setup(t)
		d.must(nil, "cancel", "3")
		var answer retriedAll
		d.must(&answer, "retry", "--status", "failed,cancelled", "--yes")
		if answer.Retried != 3 {
			t.Errorf("got %+v", answer)
		}
	})
	t.Run("Cancelled tasks are picked by their status", func(t *testing.T) {
		d, s := setup(t)
		d.must(nil, "cancel", "3", "4")
		var answer retriedAll
		d.must(&answer, "retry", "--status", "cancelled", "--yes")
		if answer.Retried != 2 || status(t, s, 4) != task.Pending || status(t, s, 1) != task.Failed {
			t.Errorf("got %+v", answer)
		}
	})
	t.Run("A task that has ended cannot be cancelled", func(t *testing.T) {
		d, _ := setup(t)
		d.easel("cancel", "1", "3").wants(t, 1, "task 3 is cancelled", "task 1 is failed and cannot be cancelled")
	})
	t.Run("The dead-letter queue counts by kind and says how to retry", func(t *testing.T) {
		d, _ := setup(t)
		d.easel("dlq").wants(t, 0, "easel retry --status failed --kind auth --provider sketch\n", "--kind outcome_unknown --provider sketch\n", "bad key")
		var answer deadLetters
		d.must(&answer, "dlq")
		if answer.Total != 2 || len(answer.Groups) != 2 || len(answer.Newest) != 2 {
			t.Errorf("got %+v", answer)
		}
	})
}

func TestMigrate(t *testing.T) {
	d := newShell(t)
	d.easel("migrate", "status").wants(t, 1, "`easel migrate up` makes it")
	d.easel("migrate", "up").wants(t, 0, "applied")
	d.easel("migrate", "up").wants(t, 0, "nothing to do")
	d.easel("list").wants(t, 0, "no tasks")
	d.easel("migrate", "down").wants(t, 2, "say --yes")
	d.easel("migrate", "down", "--yes").wants(t, 0, "not applied")
	d.easel("list").wants(t, 1, "easel migrate up")
}

func TestVersionAndHelp(t *testing.T) {
	d := newShell(t)
	var b app.Build
	d.must(&b, "version")
	if b.Go == "" || b.Version == "" {
		t.Errorf("got %+v", b)
	}
	d.easel("help", "environment").wants(t, 0, "EASEL_DRAIN", "OPENAI_API_KEY")
	walk := func(args ...string) {
		got := d.easel(append(args, "--help")...)
		got.wants(t, 0, "Usage:")
		if len(args) > 0 && args[len(args)-1] == "enqueue" {
			got.wants(t, 0, "Examples:")
		}
	}
	for _, c := range [][]string{nil, {"enqueue"}, {"list"}, {"show"}, {"watch"}, {"retry"}, {"cancel"}, {"dlq"}, {"migrate", "up"}, {"doctor"}, {"up"}, {"worker"}, {"demo"}} {
		walk(c...)
	}
}

func TestServers(t *testing.T) {
	d := newShell(t)
	d.env = []string{"EASEL_DATABASE_URL=" + servertest.Postgres(t), "EASEL_REDIS_URL=" + servertest.Redis(t).URL}
	t.Run("Nothing but migrate changes a server's tables", func(t *testing.T) {
		d.easel("enqueue", "x").wants(t, 1, "`easel migrate up`")
		d.easel("list").wants(t, 1, "`easel migrate up`")
		d.must(nil, "migrate", "up")
		d.easel("migrate", "status").wants(t, 0, "applied")
	})
	t.Run("A task is published at once", func(t *testing.T) {
		id := d.enqueue("一只红狐狸")
		var told story
		d.must(&told, "show", fmt.Sprint(id))
		if told.Task.PublishedAt == nil {
			t.Error("it is not")
		}
	})
	t.Run("Cancel, retry and the views work", func(t *testing.T) {
		d.must(nil, "cancel", "1")
		d.must(nil, "retry", "1")
		d.easel("list", "--since", "1h").wants(t, 0, "pending", "一只红狐狸")
		d.easel("dlq").wants(t, 0, "empty")
		var changes struct{ Migrations []migrations.Migration }
		d.must(&changes, "migrate", "status")
		newest := changes.Migrations[len(changes.Migrations)-1].Version
		d.easel("doctor").wants(t, 0, fmt.Sprintf("at the newest version, %d\n", newest), "none is running")
	})
	if files, _ := os.ReadDir("."); len(files) != 0 {
		t.Errorf("files were made: %v", files)
	}
}
