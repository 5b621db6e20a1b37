package worker_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/easelqueue/easel/limit"
	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/queue"
	"github.com/easelqueue/easel/task"
)

func TestNonsenseRows(t *testing.T) {
	inBubble(t, []claim{
		{"Rows of nonsense end failed with their reason and are never called", nonsense},
		{"A row that cannot be published, or nobody can take, fails and names the field, its value and what is accepted", unfit},
		{"A row that names another provider when its delivery comes goes to that one", misdirected},
		{"A row that is deleted while it waits is delivered in vain", func(r *rig) {
			t := r.asksFor(task.Task{Request: task.Request{RunAt: time.Now().Add(time.Minute)}})
			r.exec("UPDATE image_generations SET deleted_at = created_at")
			r.start()
			r.in(t.Ref(), queue.Absent)
			r.same(r.painter.submits.Load(), int64(0))
		}},
		{"A password in an address that is refused stands in no reason, however the address is spelled", refusedPasswords},
		{"A row of nonsense waits for room as any other, unclaimed, and is refused when there is some", nonsenseWhileClosed},
		{"A service without an account says how to give it one", func(r *rig) {
			r.svc.Accounts, r.svc.Needs = nil, "PAINTER_KEY"
			r.exec("INSERT INTO image_generations (provider, prompt, max_attempts) VALUES ('painter', 'a cat', 2)")
			r.start()
			failed := r.ends(1, task.Failed)
			r.same(failed.ErrorKind, task.Auth)
			if !strings.Contains(failed.ErrorMsg, "Set PAINTER_KEY") {
				r.Error(failed.ErrorMsg)
			}
		}},
	})
}

func nonsense(r *rig) {
	rows := []struct{ columns, values, kind, reason string }{
		{"provider, prompt", "'nobody', 'a cat'", "invalid", `provider "nobody" is not configured; configured are: painter`},
		{"provider, prompt", "'a:b', 'a cat'", "invalid", `provider "a:b" is not configured`},
		{"provider, prompt", "'painter', '  '", "invalid", "prompt is empty"},
		{"provider, prompt, webhook_url", "'painter', 'a cat', 'https://app.test'", "invalid", "webhook_url is \"https://app.test\"; accepted is none"},
		{"provider, prompt, steps", "'painter', 'a cat', -3", "invalid", "steps is -3; accepted are 1 to 1000"},
		{"provider, prompt, reference_images", "'painter', 'a cat', '[oops'", "invalid", "reference_images is not a JSON array of URLs"},
		{"provider, prompt, image_count", "'painter', 'a cat', 1000000", "invalid", "image_count is 1000000; accepted are 1 to 15"},
		{"provider, prompt, image_count", "'painter', 'a cat', -1", "invalid", "image_count is -1; accepted are 1 to 15"},
		{"provider, prompt, max_attempts", "'painter', 'a cat', -1", "invalid", "max_attempts is -1"},
		{"provider, prompt, style", "'painter', 'a cat', 'noir'", "unsupported", "painter cannot honour style"},
		{"provider, prompt, input_image_id", "'painter', 'a cat', 404", "invalid", "input_image_id is 404, and no photo of that id has an image_url"},
	}
	for _, row := range rows {
		r.exec("INSERT INTO image_generations (" + row.columns + ") VALUES (" + row.values + ")")
	}
	r.exec("INSERT INTO image_generations (provider, prompt) VALUES ('painter', 'a cat')")
	unknown := int64(len(rows) + 1)
	r.exec("INSERT INTO generation_parameter (task_id, parameter_name, parameter_value) SELECT max(id), 'moood', 'calm' FROM image_generations")
	r.start()
	for i, row := range rows {
		failed := r.ends(int64(i+1), task.Failed)
		if string(failed.ErrorKind) != row.kind || !strings.Contains(failed.ErrorMsg, row.reason) {
			r.Errorf("%s: %s: %s", row.values, failed.ErrorKind, failed.ErrorMsg)
		}
		r.same(len(r.attempts(failed.ID)), 0)
	}
	if failed := r.ends(unknown, task.Failed); !strings.Contains(failed.ErrorMsg, `parameter "moood" is not known`) {
		r.Error(failed.ErrorMsg)
	}
	fence := r.get(3).Fence
	r.passes(20 * time.Second)
	r.same(facts{"submits": r.painter.submits.Load(), "Fence": r.get(3).Fence}, facts{"submits": int64(0), "Fence": fence})
}

func refusedPasswords(r *rig) {
	long := strings.Repeat("u", 90) // the @ comes after what is said
	addresses := []string{"ftp://user:SECRET@cdn.test/x", "https://user:SECRET@cdn.test/x", "http://user:SECR/SECRET@cdn.test/x", "http://user:SECRET?SECRET@cdn.test/x", "user:SECRET@cdn.test/x",
		"http:user:SECRET@cdn.test/x", `http:\\user:SECRET@cdn.test/x`, "ftp://SECRET" + long + "@cdn.test/x", "ftp://cdn.test/x?sig=SECRET", "ftp%3A%2F%2Fuser:SECRET%40cdn.test"}
	n := 0
	for _, address := range addresses {
		for _, row := range []string{"webhook_url) VALUES ('painter', 'a cat', '" + address, "input_image_url) VALUES ('painter', 'a cat', '" + address,
			"reference_images) VALUES ('painter', 'a cat', '" + strings.ReplaceAll(`["`+address+`"]`, `\`, `\\`)} {
			r.exec("INSERT INTO image_generations (provider, prompt, " + row + "')")
			n++
		}
	}
	r.start()
	for id := 1; id <= n; id++ {
		failed := r.ends(int64(id), task.Failed)
		if failed.ErrorKind != task.Invalid || failed.ErrorMsg == "" || strings.Contains(failed.ErrorMsg, "SEC") {
			r.Errorf("%s: %s", failed.ErrorKind, failed.ErrorMsg)
		}
	}
}

func nonsenseWhileClosed(r *rig) {
	r.start()
	r.check(r.limiter.Close(r.Context(), "painter/main", time.Minute, limit.Why{Reason: "the balance is used up"}))
	r.exec("INSERT INTO image_generations (provider, prompt) VALUES ('painter', ' ')")
	r.passes(30 * time.Second)
	r.same(facts{"Status": r.get(1).Status, "Fence": r.get(1).Fence}, facts{"Status": task.Pending, "Fence": int64(0)})
	r.same(r.ends(1, task.Failed).ErrorKind, task.Invalid)
	r.same(r.painter.submits.Load(), int64(0))
}

func unfit(r *rig) {
	r.exec("INSERT INTO image_generations (id, provider, prompt, fence, delivery) VALUES (1, 'painter', 'a cat', 9223372036854775807, 0), (2, 'painter', 'a cat', 0, -3), (-5, 'painter', 'a cat', 0, 0)")
	r.start()
	for id, reason := range map[int64]string{
		1:  "fence is 9223372036854775807, the last number of its column, so that no worker can take the task; accepted are numbers from 0 to 9223372036854775806; a retry sets it back. Retry it",
		2:  "delivery was -3; accepted are numbers from 0 to 2147483647; it is 0 now. Retry it",
		-5: "id is -5; accepted are ids from 1 to 9223372036854775807. Delete the row and insert it without an id",
	} {
		failed := r.ends(id, task.Failed)
		r.same(facts{"ErrorKind": failed.ErrorKind, "ErrorMsg": failed.ErrorMsg}, facts{"ErrorKind": task.Invalid, "ErrorMsg": reason})
	}
	r.same(facts{"r.get(1).Delivery": r.get(1).Delivery, "r.get(2).Delivery": r.get(2).Delivery}, facts{"r.get(1).Delivery": 0, "r.get(2).Delivery": 0})
	for _, id := range []int64{1, 2} {
		_, err := r.client.Retry(r.Context(), r.get(id).Seen(), false)
		r.check(err)
		r.ends(id, task.Completed)
	}
}

func misdirected(r *rig) {
	t := r.asksFor(task.Task{Request: task.Request{RunAt: time.Now().Add(time.Minute)}})
	r.in(t.Ref(), queue.Scheduled)
	r.exec("UPDATE image_generations SET provider = 'nobody'")
	r.start()
	if failed := r.ends(t.ID, task.Failed); !strings.Contains(failed.ErrorMsg, `provider "nobody" is not configured`) {
		r.Error(failed.ErrorMsg)
	}
	r.in(t.Ref(), queue.Absent)
	r.same(r.painter.submits.Load(), int64(0))
}

func TestEmptyBalance(t *testing.T) {
	inBubble(t, []claim{{"An empty balance closes the account with the service's words, and the next task waits", func(r *rig) {
		r.painter.submit = func(_ context.Context, c provider.Call) (provider.Answer, error) {
			if r.painter.submits.Load() == 1 {
				return provider.Answer{}, &task.Failure{Kind: task.Billing, Executed: task.NotExecuted, Message: "the provider answered 402", Detail: "the balance is used up"}
			}
			return drawn(pngOf(40, 30)), nil
		}
		r.start()
		r.same(r.ends(r.asks().ID, task.Failed).ErrorKind, task.Billing)
		r.until("the account is closed", func() bool {
			s, err := r.limiter.Status(r.Context(), "painter/main")
			r.check(err)
			return strings.Contains(s.Why.Reason, "the balance is used up")
		})
		next := r.asks()
		r.passes(20 * time.Second)
		r.same(facts{"Status": r.get(next.ID).Status, "submits": r.painter.submits.Load()}, facts{"Status": task.Pending, "submits": int64(1)})
		r.ends(next.ID, task.Completed)
	}}})
}

func TestFinalFailures(t *testing.T) {
	var claims []claim
	for _, kind := range []task.Kind{task.Moderated, task.Invalid, task.Unsupported, task.Billing} {
		claims = append(claims, claim{"A call that fails as " + string(kind) + " is not repeated", func(r *rig) {
			r.painter.submit = func(context.Context, provider.Call) (provider.Answer, error) {
				return provider.Answer{}, &task.Failure{Kind: kind, Executed: task.NotExecuted, Message: "no", Code: "E42", HTTPStatus: 400, RequestID: "req-9"}
			}
			r.start()
			t := r.asks()
			failed := r.ends(t.ID, task.Failed)
			r.same(facts{"ErrorKind": failed.ErrorKind, "ErrorMsg": failed.ErrorMsg, "ErrorCode": failed.ErrorCode, "FailedTries": failed.FailedTries},
				facts{"ErrorKind": kind, "ErrorMsg": "no (E42)", "ErrorCode": "E42", "FailedTries": 1})
			r.in(t.Ref(), queue.Archived)
			r.passes(10 * time.Second)
			a := r.attempts(t.ID)
			r.same(facts{"attempts": len(a), "State": a[0].State, "ErrorKind": a[0].ErrorKind, "HTTPStatus": *a[0].HTTPStatus, "ProviderRequestID": a[0].ProviderRequestID},
				facts{"attempts": 1, "State": task.AttemptRejected, "ErrorKind": kind, "HTTPStatus": 400, "ProviderRequestID": "req-9"})
			r.same(r.painter.submits.Load(), int64(1))
		}})
	}
	inBubble(t, claims)
}
