package web

import (
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/easelqueue/easel/internal/tables"
	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
)

func ptr[T any](v T) *T { return &v }

func TestStory(t *testing.T) {
	t.Run("It shows what was asked for", func(t *testing.T) {
		b := newBench(t)
		b.add(task.Task{Request: task.Request{Model: "m-1", Prompt: "水墨山水", NegativePrompt: "blurry", Size: "2K", Steps: ptr(30), CFGScale: ptr(7.5), Seed: ptr(int64(0)),
			Watermark: ptr(false), ImageCount: 4, InputImageURL: "data:image/png;base64," + strings.Repeat("A", 5000),
			ReferenceImages: `["https://example.com/a.png"]`, UserID: ptr(int64(7)), Parameters: map[string]string{"guidance": "strong"}}})
		b.has(b.get("/tasks/1"), "水墨山水", "blurry", "m-1", "2K", "<dd><bdi>30</bdi></dd>", "7.5", "<dd><bdi>0</bdi></dd>", "false",
			"data:image/png;base64 (5.0 kB)", `<a href="https://example.com/a.png"`, "guidance", "strong", "1.0")
	})
	t.Run("It shows each call with its time, its end and its price", func(t *testing.T) {
		b := newBench(t)
		held, a := b.begin(b.add(task.Task{Request: task.Request{Provider: "openai"}}))
		a.State, a.ErrorKind, a.ErrorCode, a.ErrorMsg, a.HTTPStatus, a.ProviderRequestID =
			task.AttemptFailed, task.ProviderError, "E42", "it broke", ptr(502), "req-7"
		b.check(tables.Err(b.store.Finish(t.Context(), store.Decided{Held: held.Token(), Decision: task.Decision{Status: task.Pending, Failure: &task.Failure{Kind: task.ProviderError, Executed: task.NotExecuted, Message: "it broke"}}, Attempt: a})))
		b.draw(held, func(a *task.Attempt, _ *task.Result) { a.CostMicros, a.Currency = ptr(int64(42_000)), "USD" })
		b.exec("UPDATE generation_attempt SET sent_at = '2026-01-01 10:00:00.000000+00:00', finished_at = '2026-01-01 10:00:09.500000+00:00', answered_at = NULL WHERE number = 1")
		b.exec("UPDATE generation_attempt SET sent_at = '2026-01-01 10:01:00.000000+00:00', answered_at = '2026-01-01 10:01:03.250000+00:00' WHERE number = 2")
		page := b.get("/tasks/1")
		second, first, ok := strings.Cut(page, "Attempt 1")
		if !ok || !strings.Contains(second, "Attempt 2") {
			t.Fatal("the attempts are not there, the newest first")
		}
		b.has(second, "succeeded", "openai / main", "<dd>3.3s</dd>", "0.042 USD")
		b.has(first, "failed", "provider_error", "<code>E42</code>", "it broke", "<dd>502</dd>", "req-7", "<dd>9.5s</dd>", "<dd>unknown</dd>",
			`<time datetime="2026-01-01T10:00:00Z" data-clock>2026-01-01 10:00:00 UTC</time>`)
	})
}

func TestStoryOfPictures(t *testing.T) {
	t.Run("It shows a picture with all that is known of it", func(t *testing.T) {
		b := newBench(t)
		b.draw(b.add(task.Task{}), func(_ *task.Attempt, r *task.Result) {
			r.Seed, r.RevisedPrompt, r.SourceURL = ptr(int64(99)), "a fox, revised", "https://cdn.example.com/x.png?sig=1&t=2"
		})
		b.has(b.get("/tasks/1"), `<a class="picture" href="/pictures/1/1-0.png?v=c0ffee"><img src="/pictures/1/1-0.png?v=c0ffee"`, `width="640" height="480"`,
			"640 × 480", "1.5 kB", "<dd>1500</dd>", "<code>c0ffee</code>", "seed 99", "a fox, revised",
			`<a href="https://cdn.example.com/x.png" rel="noopener noreferrer nofollow"`)
	})
	t.Run("A picture that browsers do not show is offered as a file", func(t *testing.T) {
		b := newBench(t)
		b.draw(b.add(task.Task{}), func(_ *task.Attempt, r *task.Result) { r.StorageKey, r.ContentType = "1/1-0.heic", "image/heic" })
		b.has(b.get("/tasks/1"), "Browsers do not show this kind of file", `<a href="/pictures/1/1-0.heic?v=c0ffee" download>`)
		b.hasNot(b.get("/tasks/1"), `<img src="/pictures/`)
		b.has(b.get("/"), "A picture that browsers do not show")
		b.hasNot(b.get("/"), `<img src="/pictures/`)
	})
	t.Run("A picture that came too late is shown apart", func(t *testing.T) {
		b := newBench(t)
		held, lost := b.begin(b.add(task.Task{}))
		b.check(b.store.Release(t.Context(), held.Token(), 0, ""))
		b.draw(held, nil)
		b.late(lost, task.Result{AttemptID: lost.ID, GeneratedImageURL: "x", StorageKey: "1/late.png"})
		answer, late, ok := strings.Cut(b.get("/tasks/1"), "Came too late")
		if !ok {
			t.Fatal("nothing is said to be late")
		}
		b.has(answer, "/pictures/1/2-0.png")
		b.hasNot(answer, "late.png")
		b.has(late, "/pictures/1/late.png")
	})
	t.Run("What was paid for can be collected, and bought again by a word of its own", func(t *testing.T) {
		b := newBench(t)
		held, a := b.begin(b.add(task.Task{}))
		a.State, a.Answer = task.AttemptAnswered, `{"outputs":[]}`
		b.check(tables.Err(b.store.Record(t.Context(), store.Answered{Held: held.Token(), Attempt: *a})))
		b.check(tables.Err(b.store.Record(t.Context(), store.Collected{Attempt: tables.WithRaw(a, []task.RawFile{{StorageKey: "1/1-0.kept.bin", ContentType: "image/png", FileSize: 60, Reason: "it breaks off"}})})))
		b.check(tables.Err(b.store.Finish(t.Context(), store.Decided{Held: held.Token(), Decision: task.Decision{Status: task.Failed, Failure: &task.Failure{Kind: task.Expired, Executed: task.NotExecuted, Message: "gone"}}})))
		b.exec("UPDATE generation_attempt SET finished_at = sent_at")
		b.has(b.get("/tasks/1"), "Buy again", `<input type="checkbox" name="buy_again" value="yes" required>`, "it breaks off", `href="/pictures/1/1-0.kept.bin" download`)
		b.has(b.get("/tasks/1"), "A retry collects what it drew")
		b.exec("UPDATE generation_attempt SET finished_at = NULL")
		b.has(b.get("/tasks/1"), "What it drew is collected by itself and kept beside the task", "<b>Nobody</b>")
		b.exec("UPDATE image_generations SET error_kind = 'outcome_unknown'")
		b.has(b.get("/tasks/1"), "What it drew is collected by itself and completes the task", "<b>Nobody</b>", `data-refresh="2"`)
		b.post("/tasks/1/retry", b.seen(1, url.Values{"buy_again": {"yes"}, "taken": {"1.answered"}}))
		attempts, err := b.store.Attempts(t.Context(), 1)
		b.check(err)
		if b.status(1) != task.Pending || attempts[0].State != task.AttemptFailed {
			t.Errorf("it is %s, and its call %s", b.status(1), attempts[0].State)
		}
		b.hasNot(b.get("/tasks/1"), "Buy again")
		b.fail(b.add(task.Task{}), task.Auth, "the provider refused our key")
		b.hasNot(b.get("/tasks/2"), "Buy again")
		b.refuses(b.post("/tasks/2/retry", b.seen(2, url.Values{"buy_again": {"yes"}})), 409, "no call that was paid for")
	})
	t.Run("A picture that came after the cancel is late", func(t *testing.T) {
		b := newBench(t)
		held, a := b.begin(b.add(task.Task{}))
		_, err := b.store.Cancel(t.Context(), task.Seen{Task: held.ID})
		b.check(err)
		b.late(a, task.Result{AttemptID: a.ID, GeneratedImageURL: "x", StorageKey: "1/late.png"})
		answer, late, _ := strings.Cut(b.get("/tasks/1"), "Came too late")
		b.hasNot(answer, "late.png")
		b.has(late, "late.png")
	})
}

func TestStorySaysWhatToDo(t *testing.T) {
	t.Run("A failed task says who has to act and offers a retry", func(t *testing.T) {
		b := newBench(t)
		b.fail(b.add(task.Task{}), task.Auth, "the provider refused our key")
		b.has(b.get("/tasks/1"), "Key refused", "the provider refused our key", "You, the operator", `action="/tasks/1/retry"`)
		b.hasNot(b.get("/tasks/1"), "/cancel", "not_charged", "data-refresh")
	})
	t.Run("An unfinished task is followed and can be cancelled", func(t *testing.T) {
		b := newBench(t)
		b.add(task.Task{})
		b.has(b.get("/tasks/1"), `data-refresh="2"`, `action="/tasks/1/cancel"`)
		b.hasNot(b.get("/tasks/1"), "/retry")
		b.begin(b.add(task.Task{}))
		b.has(b.get("/tasks/2"), `action="/tasks/2/cancel"`)
		b.hasNot(b.get("/tasks/2"), "/retry")
	})
	t.Run("A cancelled one says what a retry begins with", func(t *testing.T) {
		b := newBench(t)
		cancel := func(id int64) {
			_, err := b.store.Cancel(t.Context(), seenNow(b, id))
			b.check(err)
		}
		b.add(task.Task{Request: task.Request{RunAt: time.Now().Add(time.Hour)}})
		cancel(1)
		b.has(b.get("/tasks/1"), "A retry makes a new call, which may cost money", `action="/tasks/1/retry"`)
		b.hasNot(b.get("/tasks/1"), `class="blank"`, "<dt>due</dt>")
		held, a := b.begin(b.add(task.Task{}))
		b.hasNot(b.get("/tasks/2"), "lease until")
		b.has(b.get("/tasks/2"), "not known yet", `class="blank"`)
		b.hasNot(b.get("/tasks/2"), "<dd>unknown</dd>")
		a.Handle = `{"id":"1"}`
		b.check(tables.Err(b.store.Record(t.Context(), store.Accepted{Held: held.Token(), Attempt: *a})))
		cancel(2)
		b.has(b.get("/tasks/2"), "collected by itself and kept beside the task")
		b.late(a, task.Result{AttemptID: a.ID, GeneratedImageURL: "http://localhost/pictures/late.png", ContentType: "image/png", StorageKey: "late.png", SHA256: "c0ffee"})
		b.has(b.get("/tasks/2"), "Came too late", "A retry makes the picture below the task", "/pictures/late.png")
		b.hasNot(b.get("/tasks/2"), "collected by itself", "may cost money")
	})
	t.Run("A completed task offers neither", func(t *testing.T) {
		b := newBench(t)
		b.draw(b.add(task.Task{}), nil)
		b.hasNot(b.get("/tasks/1"), "<form", "data-refresh")
	})
	t.Run("An unknown outcome shows three ways, and warns of the one that may pay twice", func(t *testing.T) {
		b := newBench(t)
		held, a := b.begin(b.add(task.Task{}))
		a.State = task.AttemptUnknown
		b.check(tables.Err(b.store.Finish(t.Context(), store.Decided{Held: held.Token(), Decision: task.Decision{Status: task.Failed, Failure: &task.Failure{Kind: task.OutcomeUnknown, Executed: task.Unknown, Message: "the connection was cut"}}, Attempt: a})))
		page := b.get("/tasks/1")
		b.has(page, "Ask the provider again", "you pay for it twice", `<input type="checkbox" name="not_charged" value="yes" required>`, "Give it up")
		if n := strings.Count(page, `action="/tasks/1/retry"`); n != 2 {
			t.Errorf("there are %d ways to retry", n)
		}
	})
	t.Run("Beside one that was given up as charged it says first to pay again", func(t *testing.T) {
		b := newBench(t)
		b.fail(b.add(task.Task{}), task.OutcomeUnknown, "the line was cut")
		_, err := b.site.Actions.GiveUp(t.Context(), seenNow(b, 1))
		b.check(err)
		b.hasNot(b.get("/tasks/1"), "took")
		b.exec("INSERT INTO generation_attempt (task_id, delivery, number, attempt_key, provider, state, worker, fence, sent_at) VALUES (1, 0, 2, 'another', 'sketch', 'unknown', 'w', 1, now())")
		b.exec("UPDATE image_generations SET error_kind = 'outcome_unknown'")
		page := b.get("/tasks/1")
		b.has(page, "An earlier call was charged and given up", "Say first that you pay once more", `name="buy_again"`, `name="not_charged"`)
		b.refuses(b.post("/tasks/1/retry", b.seen(1, url.Values{"not_charged": {"yes"}})), 409, "has a button for that")
		if w := b.post("/tasks/1/retry", b.seen(1, url.Values{"buy_again": {"yes"}, "taken": {""}})); w.Code != 303 || b.status(1) != task.Pending {
			t.Errorf("got %d, and it is %s\n%s", w.Code, b.status(1), w.Body)
		}
	})
	t.Run("A password in an address is not shown", func(t *testing.T) {
		b := newBench(t)
		b.add(task.Task{})
		b.exec("UPDATE image_generations SET input_image_url = 'http://user:SECRET@cdn.example/x.png', reference_images = '[\"http://user:SECRET@cdn.example/y.png\"]'")
		for _, path := range []string{"/", "/tasks/1"} {
			b.hasNot(b.get(path), "SECRET")
		}
		b.has(b.get("/tasks/1"), "http://***@cdn.example/x.png", "http://***@cdn.example/y.png")
	})
	t.Run("Where nobody can be asked a person looks the call up, and says whether it was charged", func(t *testing.T) {
		b := newBench(t)
		b.site.Undecided = func([]task.Attempt) (bool, string) { return true, "https://console.example.com/calls" }
		held, a := b.begin(b.add(task.Task{}))
		a.State, a.ErrorKind, a.ErrorMsg = task.AttemptUnknown, task.Timeout, "the connection was cut"
		b.check(tables.Err(b.store.Finish(t.Context(), store.Decided{Held: held.Token(), Decision: task.Decision{Status: task.Failed, Failure: &task.Failure{Kind: task.OutcomeUnknown, Executed: task.Unknown, Message: "the connection was cut"}}, Attempt: a})))
		page := b.get("/tasks/1")
		b.has(page, `href="https://console.example.com/calls"`, `<input type="checkbox" name="not_charged" value="yes" required>`,
			`action="/tasks/1/give-up"`, `<input type="checkbox" name="charged" value="yes" required>`)
		b.hasNot(page, "Ask the provider again", "Ask again", "asks the provider", `<button>Retry`)
		if n := strings.Count(page, `action="/tasks/1/retry"`); n != 1 {
			t.Errorf("there are %d ways to retry", n)
		}
		b.refuses(b.post("/tasks/1/give-up", b.seen(1, url.Values{})), 400, "charged is missing")
		b.refuses(b.post("/tasks/1/give-up", url.Values{"delivery": {"x"}, "charged": {"yes"}}), 400, "delivery")
		b.refuses(b.post("/tasks/1/give-up", url.Values{"delivery": {"7"}, "fence": {"1"}, "status": {"failed"}, "charged": {"yes"}}), 409, "has moved on")
		if w := b.post("/tasks/1/give-up", b.seen(1, url.Values{"charged": {"yes"}})); w.Code != 303 {
			t.Errorf("got %d", w.Code)
		}
		b.has(b.get("/tasks/1"), "Charged and given up", "the connection was cut")
		b.hasNot(b.get("/tasks/1"), "/give-up")
		b.refuses(b.post("/tasks/1/give-up", b.seen(1, url.Values{"charged": {"yes"}})), 409, "cannot be given up")
	})
}

func TestStoryIsBounded(t *testing.T) {
	t.Run("Long values are cut", func(t *testing.T) {
		b := newBench(t)
		params := map[string]string{}
		for _, c := range "abcdefghijklmnopqrstuvwxyz" {
			params[string(c)] = strings.Repeat(string(c), task.MaxParameter)
		}
		b.add(task.Task{Request: task.Request{Parameters: params}})
		b.exec("UPDATE image_generations SET prompt = ?1, negative_prompt = ?1, error_msg = ?1, provider = ?1, api_response = ?1", strings.Repeat("x", 1_000_000))
		if n := len(b.get("/tasks/1")); n > 150_000 {
			t.Errorf("the page has %d bytes", n)
		}
	})
	t.Run("References that are no JSON are said to be none", func(t *testing.T) {
		b := newBench(t)
		b.add(task.Task{Request: task.Request{ReferenceImages: "oops"}})
		b.has(b.get("/tasks/1"), "reference_images is not a JSON array")
	})
	t.Run("A task that is not there, or deleted, is not found", func(t *testing.T) {
		b := newBench(t)
		b.add(task.Task{})
		b.exec("UPDATE image_generations SET deleted_at = created_at")
		b.refuses(b.do(httptest.NewRequest("GET", "/tasks/1", nil)), 404, "no task 1")
		b.refuses(b.do(httptest.NewRequest("GET", "/tasks/2", nil)), 404, "no such task")
	})
	t.Run("An id that is none is refused", func(t *testing.T) {
		b := newBench(t)
		for _, id := range []string{"0", "-1", "x", "1x", "99999999999999999999"} {
			b.refuses(b.do(httptest.NewRequest("GET", "/tasks/"+id, nil)), 400, "whole numbers from 1 on")
		}
	})
}

func TestCost(t *testing.T) {
	for claim, c := range map[string]struct {
		a    task.Attempt
		want string
	}{
		"Null is unknown":                       {task.Attempt{State: task.AttemptFailed}, "unknown"},
		"Zero is free":                          {task.Attempt{CostMicros: ptr(int64(0))}, "free"},
		"Millionths are kept":                   {task.Attempt{CostMicros: ptr(int64(1_234_567)), Currency: "CNY"}, "1.234567 CNY"},
		"Two decimals are the least":            {task.Attempt{CostMicros: ptr(int64(40_000_000)), Currency: "USD"}, "40.00 USD"},
		"Less than nothing is a refund":         {task.Attempt{CostMicros: ptr(int64(-500_000)), Currency: "USD"}, "-0.50 USD"},
		"A call that did not happen costs none": {task.Attempt{State: task.AttemptRejected}, "none, the call did not happen"},
		"A call that goes on may still cost":    {task.Attempt{State: task.AttemptAccepted}, "not known yet"},
	} {
		t.Run(claim, func(t *testing.T) {
			if got := (call{Attempt: c.a}).Cost(); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func seenNow(b *bench, id int64) task.Seen {
	b.Helper()
	t, err := b.store.Get(b.Context(), id)
	b.check(err)
	return t.Seen()
}

func TestTook(t *testing.T) {
	sent := time.Date(2026, 1, 1, 10, 0, 0, 0, time.UTC)
	at := func(d time.Duration) *time.Time { return ptr(sent.Add(d)) }
	for claim, c := range map[string]struct {
		call call
		want string
	}{
		"The answer ends it, not the keeping":       {call{Attempt: task.Attempt{AnsweredAt: at(2 * time.Second), FinishedAt: at(time.Hour)}}, "2s"},
		"Without an answer the end ends it":         {call{Attempt: task.Attempt{FinishedAt: at(90 * time.Second)}}, "1m30s"},
		"An open call has taken so long":            {call{now: sent.Add(70 * time.Second)}, "1m so far"},
		"An answer before the call took none":       {call{Attempt: task.Attempt{AnsweredAt: at(-time.Minute)}}, "0s"},
		"How long an unknown one took is not known": {call{Attempt: task.Attempt{State: task.AttemptUnknown, FinishedAt: at(time.Minute)}}, ""},
		"Nor that of one that a person gave up":     {call{Attempt: task.Attempt{State: task.AttemptFailed, RowError: task.RowError{ErrorKind: task.Charged}, FinishedAt: at(time.Hour)}}, ""},
		"Nor of one that was not charged":           {call{Attempt: task.Attempt{State: task.AttemptRejected, RowError: task.RowError{ErrorKind: task.NotCharged}, FinishedAt: at(time.Hour)}}, ""},
		"An answer that was given up is":            {call{Attempt: task.Attempt{State: task.AttemptFailed, RowError: task.RowError{ErrorKind: task.BoughtAgain}, AnsweredAt: at(2 * time.Second), FinishedAt: at(time.Hour)}}, "2s"},
		"A clock that is behind takes none":         {call{now: sent.Add(-time.Minute)}, "0s so far"},
	} {
		t.Run(claim, func(t *testing.T) {
			c.call.SentAt = sent
			if got := c.call.Took(); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestTotalCost(t *testing.T) {
	for claim, c := range map[string]struct {
		states []task.AttemptState
		want   string
	}{
		"Without a call there is none":                {nil, "none"},
		"Calls that did not happen cost none":         {[]task.AttemptState{task.AttemptRejected, task.AttemptRejected}, "none"},
		"One that happened may have cost something":   {[]task.AttemptState{task.AttemptRejected, task.AttemptFailed}, "unknown"},
		"One that may have happened costs who knows":  {[]task.AttemptState{task.AttemptUnknown}, "unknown"},
		"What one that is on its way costs will show": {[]task.AttemptState{task.AttemptSending}, "not known yet"},
	} {
		t.Run(claim, func(t *testing.T) {
			var attempts []task.Attempt
			for _, s := range c.states {
				attempts = append(attempts, task.Attempt{State: s})
			}
			if got := total(&task.Task{}, attempts); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
	t.Run("What the row says counts, whatever is left of its calls", func(t *testing.T) {
		var free task.Task
		free.CostMicros = new(int64)
		if got := total(&free, nil); got != "free" {
			t.Errorf("got %q", got)
		}
	})
}
