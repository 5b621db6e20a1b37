package storetest

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
)

func reading() []claim {
	return []claim{
		{"Every filter picks what it names and nothing else", filters},
		{"Since is included and Until is not", sinceUntil},
		{"Paging by Before meets every task once", pages},
		{"A list is bounded", bounded},
		{"A list leaves long inputs out, and Get has them", slim},
		{"A deleted task is not listed", deleted},
		{"Count does not stop at the limit", counts},
		{"Tally counts by status, provider and kind", tallies},
		{"The pictures of many tasks are those of each of them", resultsOfMany},
		{"Nothing found is an empty list", nothing},
		{"Hostile values are data in filters", hostileFilters},
		{"Hostile values are data in rows", hostileRows},
		{"A cancelled context ends a call", cancelledContext},
	}
}

func slim(b *bench) {
	long := "data:image/png;base64," + strings.Repeat("A", 5000)
	t := b.insert(task.Task{Request: task.Request{InputImageURL: long, ReferenceImages: `["http://short"]`}})
	listed, err := b.store.List(b.Context(), store.Filter{IDs: []int64{t.ID}})
	b.check(err)
	b.same(len(listed), 1)
	b.same(listed[0].InputImageURL+listed[0].ReferenceImages, `["http://short"]`)
	b.same(b.get(t.ID).InputImageURL, long)
}

func (b *bench) list(f store.Filter) []int64 {
	b.Helper()
	tasks, err := b.store.List(b.Context(), f)
	b.check(err)
	n, err := b.store.Count(b.Context(), f)
	b.check(err)
	if f.Limit == 0 {
		b.same(n, len(tasks))
	}
	ids := []int64{}
	for _, t := range tasks {
		ids = append(ids, t.ID)
	}
	return ids
}

func filters(b *bench) {
	one := b.insert(task.Task{Request: task.Request{UserID: ptr(int64(7))}})
	two := b.insert(task.Task{Request: task.Request{Provider: "other", UserID: ptr(int64(8))}})
	three := b.used(task.Failed)
	for name, c := range map[string]struct {
		f    store.Filter
		want []int64
	}{
		"none":     {store.Filter{}, []int64{three.ID, two.ID, one.ID}},
		"ids":      {store.Filter{IDs: []int64{one.ID, three.ID, three.ID + 100}}, []int64{three.ID, one.ID}},
		"status":   {store.Filter{Statuses: []task.Status{task.Pending, task.Completed}}, []int64{two.ID, one.ID}},
		"kind":     {store.Filter{Kinds: []task.Kind{task.Timeout, task.Auth}}, []int64{three.ID}},
		"provider": {store.Filter{Provider: "other"}, []int64{two.ID}},
		"user":     {store.Filter{UserID: ptr(int64(7))}, []int64{one.ID}},
		"before":   {store.Filter{Before: two.ID}, []int64{one.ID}},
		"all": {store.Filter{IDs: []int64{one.ID, two.ID}, Statuses: []task.Status{task.Pending}, Provider: "painter", UserID: ptr(int64(7)),
			Since: one.CreatedAt, Until: one.CreatedAt.Add(time.Hour), Before: two.ID}, []int64{one.ID}},
		"nobody": {store.Filter{Provider: "painter", UserID: ptr(int64(8))}, []int64{}},
	} {
		b.Run(name, func(t *testing.T) {
			b := &bench{t, b.store}
			b.same(b.list(c.f), c.want)
		})
	}
}

func sinceUntil(b *bench) {
	t := b.insert(task.Task{})
	for _, fraction := range []string{"000000", "500000", "000001", "999999"} {
		b.exec("UPDATE image_generations SET created_at = '2026-03-04 05:06:07.%s+00:00'", fraction)
		at := b.get(t.ID).CreatedAt.In(time.FixedZone("west", -11*3600))
		b.same(b.list(store.Filter{Since: at}), []int64{t.ID})
		b.same(b.list(store.Filter{Until: at}), []int64{})
		b.same(b.list(store.Filter{Since: at.Add(-time.Microsecond), Until: at.Add(time.Microsecond)}), []int64{t.ID})
		b.same(b.list(store.Filter{Since: at.Add(time.Microsecond)}), []int64{})
	}
}

func pages(b *bench) {
	b.insertMany(25)
	var all []int64
	for before := int64(0); ; {
		page := b.list(store.Filter{Before: before, Limit: 10})
		if len(page) == 0 {
			break
		}
		all = append(all, page...)
		before = page[len(page)-1]
	}
	b.same(all, b.list(store.Filter{}))
	b.same(len(all), 25)
}

func bounded(b *bench) {
	b.insertMany(120)
	b.same(facts{
		"without a limit": len(b.list(store.Filter{Limit: -1})),
		"limit 110":       len(b.list(store.Filter{Limit: 110})),
		"limit 1 << 30":   len(b.list(store.Filter{Limit: 1 << 30})),
	}, facts{"without a limit": 100, "limit 110": 110, "limit 1 << 30": 120})
}

func deleted(b *bench) {
	b.insert(task.Task{})
	b.exec("UPDATE image_generations SET deleted_at = created_at")
	b.same(b.list(store.Filter{}), []int64{})
}

func counts(b *bench) {
	b.insertMany(120)
	n, err := b.store.Count(b.Context(), store.Filter{Limit: 5})
	b.check(err)
	b.same(n, 120)
}

func tallies(b *bench) {
	b.insertMany(3)
	b.used(task.Failed)
	b.insert(task.Task{Request: task.Request{Provider: "other"}})
	got, err := b.store.Tally(b.Context(), store.Filter{})
	b.check(err)
	b.same(got, []store.Tally{
		{Status: task.Failed, Provider: "painter", ErrorKind: task.Timeout, Tasks: 1},
		{Status: task.Pending, Provider: "other", Tasks: 1},
		{Status: task.Pending, Provider: "painter", Tasks: 3},
	})
}

func nothing(b *bench) {
	tasks, err := b.store.List(b.Context(), store.Filter{})
	b.check(err)
	tally, err := b.store.Tally(b.Context(), store.Filter{})
	b.check(err)
	b.same(facts{"tasks != nil": tasks != nil, "tally != nil": tally != nil}, facts{"tasks != nil": true, "tally != nil": true})
}

func hostileFilters(b *bench) {
	t := b.insert(task.Task{})
	b.unchanged(t.ID, func() {
		for _, text := range hostile() {
			b.same(b.list(store.Filter{Provider: text}), []int64{})
			b.same(b.list(store.Filter{Statuses: []task.Status{task.Status(text), "x"}}), []int64{})
			b.same(b.list(store.Filter{Kinds: []task.Kind{task.Kind(text)}}), []int64{})
		}
	})
}

func hostileRows(b *bench) {
	for _, text := range hostile() {
		b.clear()
		t := b.insert(task.Task{Request: task.Request{Provider: text, Model: text, Prompt: text, IdempotencyKey: text, SubjectID: text,
			Parameters: map[string]string{text: text}}})
		c := b.take(t.Ref(), text, lease)
		b.same(facts{
			"Provider": c.Task.Provider, "Model": c.Task.Model, "Prompt": c.Task.Prompt, "IdempotencyKey": c.Task.IdempotencyKey,
			"SubjectID": c.Task.SubjectID, "Worker": c.Task.Worker, "Parameters": c.Task.Parameters,
		}, facts{"Provider": text, "Model": text, "Prompt": text, "IdempotencyKey": text, "SubjectID": text, "Worker": text, "Parameters": map[string]string{text: text}})
		b.check(b.store.Heartbeat(b.Context(), store.Worker{ID: text, Host: text, Version: text}, lease))
		b.same(b.list(store.Filter{Provider: text}), []int64{t.ID})
		b.check(b.store.Release(b.Context(), c.Task.Token(), 0, text))
		b.same(b.get(t.ID).ErrorMsg, text)
	}
}

func cancelledContext(b *bench) {
	ctx, cancel := context.WithCancel(b.Context())
	cancel()
	_, err := b.store.List(ctx, store.Filter{})
	if !errors.Is(err, ctx.Err()) {
		b.Errorf("%v", err)
	}
}

func resultsOfMany(b *bench) {
	var ids []int64
	for range 3 {
		t := b.held()
		b.check(b.finish(store.Completed{Held: t.Token(), Attempt: b.begin(t), Completion: completion()}))
		ids = append(ids, t.ID)
	}
	b.exec("INSERT INTO generation_result (task_id, generated_image_url) VALUES (%d, 'http://app')", ids[1])
	none := b.insert(task.Task{}).ID
	got, err := b.store.ResultsOf(b.Context(), append(ids[1:], none, none+1))
	b.check(err)
	b.same(got, map[int64][]task.Result{ids[1]: b.results(ids[1]), ids[2]: b.results(ids[2])})
	b.same(got[ids[1]][0].GeneratedImageURL, "http://app")
	got, err = b.store.ResultsOf(b.Context(), nil)
	b.check(err)
	b.same(len(got), 0)
}
