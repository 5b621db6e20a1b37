package worker_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/easelqueue/easel/limit"
	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/queue"
	"github.com/easelqueue/easel/task"
)

func TestOutage(t *testing.T) {
	inBubble(t, []claim{
		{"Storage that fails leaves the bytes in the journal, which are kept when it works again", storageFails},
		{"A large picture that storage does not take goes from its file into the journal, and is kept when storage works again", storageFailsLarge},
		{"Storage that hangs keeps no answer from the journal", storageHangs},
		{"Storage that fails for ever fails the task, whose pictures wait in the journal", storageNeverWorks},
		{"Of pictures in the journal the bad one costs the good one nothing", badBesideJournalled},
		{"A picture server that is away is asked again, and nothing is bought again", downloadFails},
		{"A database that fails while an answer comes does not lose it", databaseFails},
		{"A database that fails before the call prevents it", databaseFailsBefore},
		{"A worker that could not beat while the database was away keeps its task, whoever gets its delivery", silentTogether},
		{"A result that the database refuses fails its task, and is not lost", databaseRefuses},
		{"Redis that forgets during a call leaves the call alone", redisForgetsDuring},
		{"Redis that forgets while a delivery waits for room retries nothing by itself", comesTwice},
	})
}

func storageFails(r *rig) {
	r.pictures.broken.Store(true)
	r.start()
	t := r.asks()
	r.until("it waits for storage", func() bool { return r.get(t.ID).ErrorKind == task.Storage })
	waiting := r.get(t.ID)
	r.same(facts{"Status": waiting.Status, "FailedTries": waiting.FailedTries, "Waits > 0": waiting.Waits > 0, "states": r.states(t.ID)},
		facts{"Status": task.Pending, "FailedTries": 0, "Waits > 0": true, "states": []task.AttemptState{task.AttemptAnswered}})
	r.same(facts{"Answer says bytes": strings.Contains(r.attempts(t.ID)[0].Answer, `"bytes":"`), "CostMicros": *r.attempts(t.ID)[0].CostMicros},
		facts{"Answer says bytes": true, "CostMicros": int64(40_000)})
	r.pictures.broken.Store(false)
	r.ends(t.ID, task.Completed)
	r.same(facts{"submits": r.painter.submits.Load(), "states": r.states(t.ID)}, facts{"submits": int64(1), "states": []task.AttemptState{task.AttemptSucceeded}})
	r.same(r.stored(r.results(t.ID)[0].StorageKey), pngOf(40, 30))
}

// within answers a call with that picture in base64, as the adapters read it.
type within []byte

func (p within) RoundTrip(q *http.Request) (*http.Response, error) {
	if _, err := io.Copy(io.Discard, q.Body); err != nil {
		return nil, err
	}
	body := `["` + base64.StdEncoding.EncodeToString(p) + `"]`
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), Request: q}, nil
}

func storageFailsLarge(r *rig) {
	want := append(pngOf(40, 30), make([]byte, 100_000)...)
	client := &provider.Client{HTTP: &http.Client{Transport: within(want)}, Temp: r.TempDir()}
	r.painter.submit = func(ctx context.Context, _ provider.Call) (provider.Answer, error) {
		reply, err := client.Do(ctx, provider.HTTPRequest{Method: http.MethodPost, URL: "http://127.0.0.1/", Body: []byte("{}")})
		if err != nil {
			return provider.Answer{}, err
		}
		var pictures provider.Images
		if err := reply.JSON(&pictures); err != nil {
			return provider.Answer{}, err
		}
		outputs := reply.Outputs(pictures)
		if len(outputs) != 1 || outputs[0].File == nil {
			r.Errorf("got %d pictures and none in a file", len(outputs))
		}
		return reply.Done(outputs, nil)
	}
	r.pictures.broken.Store(true)
	r.start()
	t := r.asks()
	r.until("it waits for storage", func() bool { return r.get(t.ID).ErrorKind == task.Storage })
	r.same(strings.Contains(r.attempts(t.ID)[0].Answer, `"bytes":"`), true)
	r.pictures.broken.Store(false)
	r.ends(t.ID, task.Completed)
	r.same(r.painter.submits.Load(), int64(1))
	r.same(r.stored(r.results(t.ID)[0].StorageKey), want)
}

func storageHangs(r *rig) {
	r.pictures.hanging.Store(true)
	r.start()
	t := r.asks()
	began := time.Now()
	r.until("the answer is journalled", func() bool {
		all := r.attempts(t.ID)
		return len(all) == 1 && all[0].State == task.AttemptAnswered
	})
	if took := time.Since(began); took > 15*time.Second {
		r.Errorf("it took %s", took)
	}
	r.pictures.hanging.Store(false)
	r.pictures.giveUp()
	r.ends(t.ID, task.Completed)
	r.same(r.painter.submits.Load(), int64(1))
}

func storageNeverWorks(r *rig) {
	r.svc.Retry.MaxWaits = 2
	r.pictures.broken.Store(true)
	r.start()
	t := r.asks()
	failed := r.ends(t.ID, task.Failed)
	r.same(facts{"ErrorKind": failed.ErrorKind, "states": r.states(t.ID)}, facts{"ErrorKind": task.Storage, "states": []task.AttemptState{task.AttemptAnswered}})
	r.pictures.broken.Store(false)
	_, err := r.client.Retry(r.Context(), failed.Seen(), false)
	r.check(err)
	r.ends(t.ID, task.Completed)
	r.same(r.painter.submits.Load(), int64(1))
}

func badBesideJournalled(r *rig) {
	r.pictures.broken.Store(true)
	r.painter.submit = func(context.Context, provider.Call) (provider.Answer, error) {
		return drawn(pngOf(40, 30), []byte("<html>")), nil
	}
	r.start()
	t := r.asksFor(task.Task{Request: task.Request{ImageCount: 2}})
	r.until("it waits for storage", func() bool { return r.get(t.ID).ErrorKind == task.Storage })
	r.pictures.broken.Store(false)
	done := r.ends(t.ID, task.Completed)
	r.same(facts{"len results": len(r.results(t.ID)), "ErrorMsg says picture 2 of 2 is": strings.Contains(done.ErrorMsg, "picture 2 of 2 is missing")},
		facts{"len results": 1, "ErrorMsg says picture 2 of 2 is": true})
}

func downloadFails(r *rig) {
	var asked atomic.Int64
	r.web = func(w http.ResponseWriter, _ *http.Request) {
		if asked.Add(1) < 4 {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		w.Write(pngOf(40, 30))
	}
	r.painter.submit = func(context.Context, provider.Call) (provider.Answer, error) { return at(r.host + "/1"), nil }
	r.start()
	t := r.asks()
	done := r.ends(t.ID, task.Completed)
	r.same(facts{"Waits": done.Waits, "FailedTries": done.FailedTries, "submits": r.painter.submits.Load(), "asked": asked.Load()},
		facts{"Waits": 0, "FailedTries": 0, "submits": int64(1), "asked": int64(4)})
}

func databaseFails(r *rig) {
	r.painter.submit = func(context.Context, provider.Call) (provider.Answer, error) {
		r.exec("ALTER TABLE generation_attempt RENAME TO away")
		return drawn(pngOf(40, 30)), nil
	}
	p := r.start()
	t := r.asks()
	r.until("the call is made", func() bool { return r.painter.submits.Load() == 1 })
	r.passes(30 * time.Second)
	r.same(r.get(t.ID).Worker, p.Self.ID)
	r.exec("ALTER TABLE away RENAME TO generation_attempt")
	done := r.ends(t.ID, task.Completed)
	r.same(facts{"Crashes": done.Crashes, "submits": r.painter.submits.Load(), "states": r.states(t.ID)},
		facts{"Crashes": 0, "submits": int64(1), "states": []task.AttemptState{task.AttemptSucceeded}})
}

func databaseFailsBefore(r *rig) {
	t := r.asks()
	var away atomic.Bool
	r.svc.Accounts[0].Provider = &slow{painter: r.painter, prepare: func() {
		if away.CompareAndSwap(false, true) {
			r.exec("ALTER TABLE generation_attempt RENAME TO away")
		}
	}}
	r.start()
	r.until("the table is away", away.Load)
	r.passes(30 * time.Second)
	r.same(r.painter.submits.Load(), int64(0))
	r.exec("ALTER TABLE away RENAME TO generation_attempt")
	r.same(r.ends(t.ID, task.Completed).FailedTries, 0)
	r.same(r.painter.submits.Load(), int64(1))
}

// silentTogether: asynq of another worker gives the delivery up just after an
// outage, as one with a wrong clock does, before the first heartbeat.
func silentTogether(r *rig) {
	taken, answer := r.painter.hangs()
	first := r.start()
	t := r.asks()
	heard(r, "the call is made", taken)
	second := r.start()
	r.exec("ALTER TABLE easel_worker RENAME TO away")
	r.passes(2*r.lease + r.every/2)
	r.exec("ALTER TABLE away RENAME TO easel_worker")
	verdict := second.Handle(r.Context(), queue.Delivery{Ref: t.Ref(), Provider: "painter"})
	r.same(facts{"Action": verdict.Action, "Worker": r.get(t.ID).Worker}, facts{"Action": queue.Retry, "Worker": first.Self.ID})
	answer <- drawn(pngOf(40, 30))
	done := r.ends(t.ID, task.Completed)
	r.same(facts{"Crashes": done.Crashes, "submits": r.painter.submits.Load()}, facts{"Crashes": 0, "submits": int64(1)})
}

func databaseRefuses(r *rig) {
	r.exec("CREATE TRIGGER no BEFORE INSERT ON generation_result BEGIN SELECT RAISE(ABORT, 'CHECK constraint failed: no'); END")
	r.start()
	t := r.asks()
	failed := r.ends(t.ID, task.Failed)
	r.same(facts{"ErrorKind": failed.ErrorKind, "states": r.states(t.ID)}, facts{"ErrorKind": task.Internal, "states": []task.AttemptState{task.AttemptAnswered}})
	r.exec("DROP TRIGGER no")
	_, err := r.client.Retry(r.Context(), failed.Seen(), false)
	r.check(err)
	r.ends(t.ID, task.Completed)
	r.same(r.painter.submits.Load(), int64(1))
}

func redisForgets(r *rig) {
	r.svc.Concurrency = 5
	const many = 200
	var open atomic.Bool
	r.painter.submit = func(ctx context.Context, _ provider.Call) (provider.Answer, error) {
		for !open.Load() {
			select {
			case <-time.After(r.every):
			case <-ctx.Done():
				return fails(task.Timeout, task.Unknown)
			}
		}
		return drawn(pngOf(4, 3)), nil
	}
	r.start()
	var tasks []*task.Task
	want := make(map[string]int)
	for i := range many {
		t := &task.Task{Request: task.Request{Provider: "painter", Prompt: fmt.Sprint("lighthouse ", i)}}
		tasks, want[t.Prompt] = append(tasks, t), 1
	}
	_, err := r.client.EnqueueMany(r.Context(), tasks)
	r.check(err)
	r.until("some are called", func() bool { return r.painter.submits.Load() == 5 })
	r.check(r.redis.FlushAll(r.Context()).Err())
	open.Store(true)
	for _, t := range tasks {
		r.ends(t.ID, task.Completed)
	}
	r.same(r.painter.prompts(), want)
}

// comesTwice lets a delivery come anew while it waits for room: whoever comes second finds
// its row failed, and its delivery in the archive.
func comesTwice(r *rig) {
	r.svc.Accounts[0].Limits = provider.Limits{InFlight: 1}
	r.painter.submit = func(context.Context, provider.Call) (provider.Answer, error) {
		return fails(task.ProviderError, task.Executed)
	}
	full := func() *limit.Slot {
		g, _, err := r.limiter.Acquire(r.Context(), "painter/main", r.svc.Accounts[0].Limits)
		r.check(err)
		return g
	}
	full()
	r.start()
	t := r.asks()
	r.in(t.Ref(), queue.Active)
	r.check(r.redis.FlushAll(r.Context()).Err())
	again := full()
	r.in(t.Ref(), queue.Active)
	r.passes(2 * time.Second)
	again.Release(r.Context())
	r.ends(t.ID, task.Failed)
	r.passes(time.Minute)
	r.same(facts{"Delivery": r.get(t.ID).Delivery, "submits": r.painter.submits.Load()}, facts{"Delivery": 0, "submits": int64(1)})
}

func redisForgetsDuring(r *rig) {
	taken, answer := r.painter.hangs()
	r.start()
	r.start()
	t := r.asks()
	heard(r, "the call is made", taken)
	r.check(r.redis.FlushAll(r.Context()).Err())
	r.passes(35 * time.Second)
	answer <- drawn(pngOf(40, 30))
	done := r.ends(t.ID, task.Completed)
	r.same(facts{"Crashes": done.Crashes, "Delivery": done.Delivery, "submits": r.painter.submits.Load()}, facts{"Crashes": 0, "Delivery": 0, "submits": int64(1)})
	r.in(t.Ref(), queue.Absent)
}
