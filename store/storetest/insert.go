package storetest

import (
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
)

func inserting() []claim {
	return []claim{
		{"A new task gets its id, status and times", fillsIn},
		{"A task comes back with all that was asked for", comesBack},
		{"A time of another zone comes back as the same instant", zones},
		{"A task and its parameters are stored together or not at all", parametersTogether},
		{"2,500 tasks in one insert get their own ids", manyAtOnce},
		{"Equal tasks in one insert are as many rows", equalTasks},
		{"A row that could not be read back is refused by the database", unreadable},
		{"A rolled back InsertTx leaves nothing in any table", rolledBack},
		{"A committed InsertTx leaves the task with its parameters", committed},
		{"A prompt of 32,000 Chinese characters and emoji comes back equal", longPrompt},
		{"A row with only a provider and a prompt has the defaults", rawRow},
		{"Deleting a task deletes its parameters, attempts and results", cascades},
		{"An insert of no tasks is no error", noTasks},
	}
}

func fillsIn(b *bench) {
	t := &task.Task{Request: task.Request{Provider: "painter", Prompt: "a boat"}}
	fresh, err := b.store.Insert(b.Context(), []*task.Task{t})
	b.check(err)
	b.same(fresh, []bool{true})
	if t.ID == 0 || t.RequestHash == "" {
		b.Errorf("id is %d and request_hash %q", t.ID, t.RequestHash)
	}
	b.same(facts{"Status": t.Status, "ImageCount": t.ImageCount, "MaxAttempts": t.MaxAttempts},
		facts{"Status": task.Pending, "ImageCount": 1, "MaxAttempts": task.DefaultMaxAttempts})
	b.near(t.RunAt, 0)
	b.near(t.CreatedAt, 0)
	b.near(t.UpdatedAt, 0)
}

func everything() task.Task {
	return task.Task{
		Request: task.Request{Provider: "painter", Model: "m-1", Prompt: "a boat", NegativePrompt: "a car", Size: "2K", Quality: "hd", Style: "vivid",
			Steps: ptr(30), CFGScale: ptr(7.5), Seed: ptr(int64(1) << 60), Watermark: ptr(false), ImageCount: 4,
			InputImageURL: "https://example.com/a.png", InputImageID: ptr(int64(8)), ReferenceImages: `["https://example.com/b.png"]`,
			UserID: ptr(int64(5)), DramaID: ptr(int64(6)), StoryboardID: ptr(int64(7)), SubjectType: "scene", SubjectID: "s-9",
			Metadata: `{"a":1}`, Priority: task.High, RunAt: time.Date(2031, 2, 3, 4, 5, 6, 789012000, time.UTC),
			DeadlineAt: ptr(time.Date(2032, 2, 3, 4, 5, 6, 700000000, time.UTC)), MaxAttempts: 3, IdempotencyKey: "k-1",
			WebhookURL: "https://example.com/hook", Fallbacks: `["sketch"]`, FitInputs: ptr(true), Parameters: map[string]string{"empty": "", "sampler": "euler"}},
	}
}

func comesBack(b *bench) {
	asked := reflect.ValueOf(everything().Request)
	for field, value := range asked.Fields() {
		if value.IsZero() {
			b.Errorf("everything leaves %s out", field.Name)
		}
	}
	want := b.insert(everything())
	got := b.get(want.ID)
	got.UpdatedAt = want.UpdatedAt // set by the database in the same statement, but perhaps a moment later
	b.same(got, want)
}

func zones(b *bench) {
	at := time.Date(2031, 1, 2, 3, 4, 5, 600000000, time.FixedZone("west", -11*3600))
	t := b.insert(task.Task{Request: task.Request{RunAt: at, DeadlineAt: &at}})
	got := b.get(t.ID)
	b.same(facts{"RunAt as given": t.RunAt.Equal(at), "RunAt as stored": got.RunAt.Equal(at), "DeadlineAt as stored": got.DeadlineAt.Equal(at)},
		facts{"RunAt as given": true, "RunAt as stored": true, "DeadlineAt as stored": true})
}

func parametersTogether(b *bench) {
	b.exec("CREATE UNIQUE INDEX one_value ON generation_parameter (parameter_value)")
	defer b.exec("DROP INDEX one_value")
	_, err := b.store.Insert(b.Context(), []*task.Task{
		{Request: task.Request{Provider: "painter", Prompt: "a boat", Parameters: map[string]string{"a": "1", "b": "1"}}}})
	if err == nil {
		b.Error("the index refused nothing")
	}
	b.empty()
}

func (b *bench) empty() {
	b.Helper()
	for _, table := range []string{"image_generations", "generation_parameter", "generation_attempt", "generation_result"} {
		if n := b.number("SELECT count(*) FROM %s", table); n != 0 {
			b.Errorf("%s has %d rows", table, n)
		}
	}
}

func manyAtOnce(b *bench) {
	tasks := b.insertMany(2500)
	stored := make(map[int64]string)
	rows, err := b.store.DB().QueryContext(b.Context(), "SELECT id, prompt FROM image_generations")
	b.check(err)
	defer rows.Close()
	for rows.Next() {
		var id int64
		var prompt string
		b.check(rows.Scan(&id, &prompt))
		stored[id] = prompt
	}
	b.check(rows.Err())
	b.same(len(stored), len(tasks))
	for _, t := range tasks {
		if stored[t.ID] != t.Prompt {
			b.Fatalf("row %d is %q, the task with that id %q", t.ID, stored[t.ID], t.Prompt)
		}
	}
}

// unreadable are values of plain SQL that the database must refuse, because the
// row could not be read back: one such row would stop the relay for all.
func unreadable(b *bench) {
	values := map[string][]string{"run_at": {"'-infinity'", "'soon'"}, "deadline_at": {"'infinity'", "'some day'"}, "steps": {"'many'"},
		"cfg_scale": {"'nan'"}, "image_count": {"'two'"}, "user_id": {"'me'"}, "created_at": {"'infinity'"}}
	for column, bad := range values {
		for _, value := range bad {
			insert := "INSERT INTO image_generations (provider, prompt, " + column + ") VALUES ('painter', 'x', " + value + ")"
			if _, err := b.store.DB().ExecContext(b.Context(), insert); err == nil {
				b.Errorf("%s = %s was taken", column, value)
			}
		}
	}
	b.empty()
	b.exec("INSERT INTO image_generations (provider, prompt, steps, cfg_scale, deadline_at) VALUES ('painter', 'x', -5, 7, '2031-01-02 03:04:05')")
	b.same(len(b.publish(10)), 1)
}

func equalTasks(b *bench) {
	same := func() *task.Task {
		return &task.Task{Request: task.Request{Provider: "painter", Prompt: "a boat", Parameters: map[string]string{"a": "1"}}}
	}
	tasks := []*task.Task{same(), same(), same()}
	_, err := b.store.Insert(b.Context(), tasks)
	b.check(err)
	b.same(map[int64]bool{tasks[0].ID: true, tasks[1].ID: true, tasks[2].ID: true, 0: true}, map[int64]bool{
		tasks[0].ID: true, tasks[0].ID + 1: true, tasks[0].ID + 2: true, 0: true})
	b.same(b.number("SELECT count(DISTINCT task_id) FROM generation_parameter"), int64(3))
}

func rolledBack(b *bench) {
	tx, err := b.store.DB().BeginTx(b.Context(), nil)
	b.check(err)
	t := everything()
	_, err = b.store.InsertTx(b.Context(), tx, []*task.Task{&t})
	b.check(err)
	b.check(tx.Rollback())
	b.empty()
}

func committed(b *bench) {
	tx, err := b.store.DB().BeginTx(b.Context(), nil)
	b.check(err)
	t := everything()
	fresh, err := b.store.InsertTx(b.Context(), tx, []*task.Task{&t})
	b.check(err)
	b.same(fresh, []bool{true})
	b.check(tx.Commit())
	b.same(b.get(t.ID).Parameters, t.Parameters)
}

func longPrompt(b *bench) {
	prompt := strings.Repeat("画一艘船🚣🏽", task.MaxPrompt/6+1)
	prompt = string([]rune(prompt)[:task.MaxPrompt])
	if got := b.get(b.insert(task.Task{Request: task.Request{Prompt: prompt}}).ID).Prompt; got != prompt {
		b.Errorf("%d bytes came back of %d", len(got), len(prompt))
	}
}

func rawRow(b *bench) {
	b.exec("INSERT INTO image_generations (provider, prompt) VALUES ('painter', 'a boat')")
	t := b.get(b.number("SELECT id FROM image_generations"))
	b.near(t.RunAt, 0)
	b.near(t.CreatedAt, 0)
	b.near(t.UpdatedAt, 0)
	b.same(t, &task.Task{ID: t.ID, Request: task.Request{Provider: "painter", Prompt: "a boat", ImageCount: 1, MaxAttempts: task.DefaultMaxAttempts, RunAt: t.RunAt}, Standing: task.Standing{Status: task.Pending, CreatedAt: t.CreatedAt, UpdatedAt: t.UpdatedAt}})
	c := b.take(t.Ref(), "first", lease)
	b.same(c.Task.Status, task.Processing)
}

func cascades(b *bench) {
	c := b.take(b.insert(everything()).Ref(), "first", lease)
	b.check(b.finish(store.Completed{Held: c.Task.Token(), Attempt: b.begin(c.Task), Completion: completion()}))
	b.exec("DELETE FROM image_generations WHERE id = %d", c.Task.ID)
	b.empty()
}

func noTasks(b *bench) {
	fresh, err := b.store.Insert(b.Context(), nil)
	b.check(err)
	b.same(len(fresh), 0)
	b.empty()
}

// hostile are texts that would do harm if they were taken for SQL.
func hostile() []string {
	texts := []string{
		"'; DROP TABLE image_generations; --", "' OR '1'='1", `" OR ""="`, "1) OR 1=1 --", "'||(SELECT version())||'", `\'; SELECT 1; --`,
		"$1", "?", ":name", "??", "{{.}}", "%s%d%n", "/* */", "--", "e\\'x", "$$ $$", "x'00'", "painter' UNION SELECT * FROM easel_worker --",
		"\u202e", "'; SELECT pg_sleep(10); --", "＇ OR 1=1",
	}
	return append(texts, fmt.Sprintf("%s'", strings.Repeat("a", 10_000)))
}
