package storetest

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
)

func claiming() []claim {
	return []claim{
		{"A claim takes the task", takes},
		{"Exactly one of 20 claimers at once gets the task", oneClaimer},
		{"A stale delivery is refused as stale", stale},
		{"A living lease is refused as busy", busy},
		{"A row that carries the claimer's own name is free to it", ownName},
		{"A dead lease is claimed, with a crash and a grown fence", deadLease},
		{"A heartbeat protects an old claim", heartbeat},
		{"A dead heartbeat protects nothing", deadHeartbeat},
		{"The heartbeat of another worker protects nothing", otherHeartbeat},
		{"A claim brings parameters, the photo and the last attempt", loads},
		{"A photo that does not exist is left to the worker", noPhoto},
		{"A released task waits without having spent a try", releases},
		{"Why a call has failed stays on a released task, until another was answered", releasesFailed},
		{"A task that is given back meanwhile is never called stale", givenBack},
		{"Progress never goes back", progress},
	}
}

func takes(b *bench) {
	t := b.insert(task.Task{})
	c := b.take(t.Ref(), "first", lease)
	b.same(facts{"Status": c.Task.Status, "Worker": c.Task.Worker, "Fence": c.Task.Fence, "Delivery": c.Task.Delivery, "Crashes": c.Task.Crashes},
		facts{"Status": task.Processing, "Worker": "first", "Fence": int64(1), "Delivery": 0, "Crashes": 0})
	b.near(*c.Task.LeaseUntil, lease)
	b.near(*c.Task.StartedAt, 0)
	b.near(*c.Task.PublishedAt, 0) // whoever claims has had the delivery
	b.same(c.Last, (*task.Attempt)(nil))
	b.same(b.get(t.ID), c.Task)
}

func oneClaimer(b *bench) {
	ref := b.insert(task.Task{}).Ref()
	var won, busy atomic.Int32
	together(20, func(i int) {
		c, refusal, err := b.store.Claim(b.Context(), ref, fmt.Sprintf("worker %d", i), lease)
		switch {
		case err != nil:
			b.Error(err)
		case c != nil:
			won.Add(1)
		case refusal.Busy:
			busy.Add(1)
		}
	})
	b.same(facts{"won": won.Load(), "busy": busy.Load()}, facts{"won": int32(1), "busy": int32(19)})
	b.same(b.get(ref.Task).Fence, int64(1))
}

func stale(b *bench) {
	t := b.insert(task.Task{})
	b.unchanged(t.ID, func() {
		r := b.refused(task.Ref{Task: t.ID, Delivery: 1})
		b.same(facts{"Stale": r.Stale, "Busy": r.Busy, "Status": r.Status}, facts{"Stale": true, "Busy": false, "Status": task.Pending})
		r = b.refused(task.Ref{Task: t.ID + 1000})
		b.same(r, &store.Refusal{Stale: true})
	})
	for _, status := range []task.Status{task.Completed, task.Failed, task.Cancelled} {
		b.exec("UPDATE image_generations SET status = '%s'", status)
		b.unchanged(t.ID, func() {
			r := b.refused(t.Ref())
			b.same(facts{"Stale": r.Stale, "Status": r.Status, "ID": r.Task.ID}, facts{"Stale": true, "Status": status, "ID": t.ID})
		})
	}
	b.exec("UPDATE image_generations SET status = 'pending', deleted_at = created_at")
	b.same(b.refused(t.Ref()).Stale, true)
}

func busy(b *bench) {
	t := b.held()
	b.unchanged(t.ID, func() {
		r := b.refused(t.Ref())
		b.same(facts{"Stale": r.Stale, "Busy": r.Busy, "Wait": r.Wait, "Status": r.Status},
			facts{"Stale": false, "Busy": true, "Wait": lease, "Status": task.Processing})
	})
}

func ownName(b *bench) {
	t := b.held()
	again := b.take(t.Ref(), "first", lease).Task
	b.same(facts{"Fence": again.Fence, "Crashes": again.Crashes}, facts{"Fence": t.Fence + 1, "Crashes": 0})
}

func deadLease(b *bench) {
	t := b.insert(task.Task{})
	first := b.take(t.Ref(), "first", gone)
	second := b.take(t.Ref(), "second", lease)
	b.same(facts{"Worker": second.Task.Worker, "Crashes": second.Task.Crashes, "Fence": second.Task.Fence, "FailedTries": second.Task.FailedTries},
		facts{"Worker": "second", "Crashes": 1, "Fence": first.Task.Fence + 1, "FailedTries": 0})
	b.same(*second.Task.StartedAt, *first.Task.StartedAt)
}

func heartbeat(b *bench) {
	t := b.insert(task.Task{})
	b.take(t.Ref(), "first", gone)
	b.check(b.store.Heartbeat(b.Context(), store.Worker{ID: "first", Host: "h"}, lease))
	b.same(b.refused(t.Ref()).Busy, true)
}

func deadHeartbeat(b *bench) {
	t := b.insert(task.Task{})
	b.take(t.Ref(), "first", gone)
	b.check(b.store.Heartbeat(b.Context(), store.Worker{ID: "first", Host: "h"}, lease))
	b.check(b.store.Heartbeat(b.Context(), store.Worker{ID: "first", Host: "h"}, gone))
	b.take(t.Ref(), "second", lease)
}

func otherHeartbeat(b *bench) {
	t := b.insert(task.Task{})
	b.take(t.Ref(), "first", gone)
	b.check(b.store.Heartbeat(b.Context(), store.Worker{ID: "second", Host: "h"}, lease))
	b.take(t.Ref(), "second", lease)
}

func loads(b *bench) {
	b.exec("INSERT INTO photo (id, image_url) VALUES (8, 'https://example.com/photo.png')")
	t := everything()
	c := b.take(b.insert(t).Ref(), "first", gone)
	b.same(c.Task.Parameters, t.Parameters)
	b.same(c.Task.PhotoURL, "https://example.com/photo.png")

	b.begin(c.Task)
	last := answered(b.begin(c.Task))
	last.Images, last.Endpoint, last.RequestHash = 3, "/v1", "hash"
	b.check(b.record(store.Accepted{Held: c.Task.Token(), Attempt: *accepted(last), JobID: "job-1"}))
	b.check(b.record(store.Answered{Held: c.Task.Token(), Attempt: *answered(last), JobID: "job-1"}))
	last.State, last.ErrorKind, last.ErrorMsg = task.AttemptAnswered, task.Storage, "no \"room\" \\ 画"
	b.check(b.record(store.AttemptEnded{Attempt: *last}))
	b.check(b.record(store.Collected{Attempt: withRaw(last, []task.RawFile{{Position: 1, Reason: "odd"}})}))
	waiting := c.Task
	for _, how := range []string{"a takeover", "a waiting task"} {
		again := b.take(waiting.Ref(), "second", lease)
		if !cmp.Equal(again.Last, &b.attempts(c.Task.ID)[1]) || again.Last.Number != 2 {
			b.Errorf("%s: %s", how, cmp.Diff(&b.attempts(c.Task.ID)[1], again.Last))
		}
		b.same(again.Task.Parameters, t.Parameters)
		b.same(again.Task.PhotoURL, "https://example.com/photo.png")
		b.check(b.store.Release(b.Context(), again.Task.Token(), 0, ""))
	}
}

func noPhoto(b *bench) {
	c := b.take(b.insert(task.Task{Request: task.Request{InputImageID: ptr(int64(404))}}).Ref(), "first", lease)
	b.same(c.Task.PhotoURL, "")
}

func releasesFailed(b *bench) {
	stays := facts{"ErrorMsg": "slow down", "ErrorKind": task.RateLimited, "ErrorCode": "429"}
	goes := facts{"ErrorMsg": "it is fetched again", "ErrorKind": task.Kind(""), "ErrorCode": ""}
	for call, want := range map[string]facts{
		"state = 'rejected'":                      stays,
		"state = 'answered'":                      goes,
		"state = 'answered', finished_at = now()": stays, // one of several, which was given up
	} {
		t := b.held()
		b.check(b.beginAs(t, &task.Attempt{Key: "release " + call, Provider: "painter"}))
		b.exec("UPDATE generation_attempt SET %s WHERE task_id = %d", call, t.ID)
		b.exec("UPDATE image_generations SET error_msg = 'slow down', error_kind = 'rate_limited', error_code = '429' WHERE id = %d", t.ID)
		b.check(b.store.Release(b.Context(), t.Token(), 0, "it is fetched again"))
		got := b.get(t.ID)
		b.same(facts{"ErrorMsg": got.ErrorMsg, "ErrorKind": got.ErrorKind, "ErrorCode": got.ErrorCode}, want)
	}
}

func releases(b *bench) {
	t := b.held()
	b.check(b.store.Release(b.Context(), t.Token(), time.Hour, "the account is at its limit"))
	got := b.get(t.ID)
	b.same(facts{"Status": got.Status, "Worker": got.Worker, "LeaseUntil": got.LeaseUntil, "ErrorMsg": got.ErrorMsg},
		facts{"Status": task.Pending, "Worker": "", "LeaseUntil": (*time.Time)(nil), "ErrorMsg": "the account is at its limit"})
	b.same(facts{"FailedTries": got.FailedTries, "Waits": got.Waits, "Crashes": got.Crashes, "Delivery": got.Delivery},
		facts{"FailedTries": 0, "Waits": 0, "Crashes": 0, "Delivery": 0})
	b.near(got.RunAt, time.Hour)
	b.same(b.take(got.Ref(), "second", lease).Task.Crashes, 0)
}

func givenBack(b *bench) {
	ref := b.insert(task.Task{}).Ref()
	var stale atomic.Int32
	together(4, func(i int) {
		for range 40 {
			c, refusal, err := b.store.Claim(b.Context(), ref, fmt.Sprintf("worker %d", i), lease)
			if err == nil && c != nil {
				err = b.store.Release(b.Context(), c.Task.Token(), 0, "")
			} else if err == nil && refusal.Stale {
				stale.Add(1)
			}
			if err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.same(stale.Load(), int32(0))
}

func progress(b *bench) {
	t := b.held()
	var seen []int
	for _, percent := range []int{10, 60, 30, 61} {
		b.check(b.record(store.Progressed{Held: t.Token(), Percent: percent}))
		seen = append(seen, b.get(t.ID).Progress)
	}
	b.same(seen, []int{10, 60, 60, 61})
}
