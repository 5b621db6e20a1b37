//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"

	"github.com/easelqueue/easel/internal/app"
	"github.com/easelqueue/easel/internal/config"
	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/provider/all"
	"github.com/easelqueue/easel/task"
)

// byEasel is easel as its commands wire it, but for the pictures, which are kept in memory, and the
// provider, which does nothing.
type byEasel struct{}

func (byEasel) Results() string { return "generation_result_id_seq" }
func (byEasel) Completed() string {
	return "SELECT count(*) FROM image_generations WHERE status = 'completed'"
}

func (byEasel) Create(ctx context.Context, at site) error {
	a, err := open(ctx, at, working{}, true)
	if err != nil {
		return err
	}
	a.Close()
	return nil
}

func open(ctx context.Context, at site, w working, migrate bool) (*app.App, error) {
	env := []string{"EASEL_DATA=" + at.Folder, "EASEL_DATABASE_URL=" + at.Postgres, "EASEL_REDIS_URL=" + at.Redis, "EASEL_DRAIN=5s"}
	kinds := provider.Kinds{nop(w)}
	if w.Idle { // every service that has an address of its own; none of them is called
		kinds = append(kinds, all.Kinds...)
		for _, k := range all.Kinds {
			if k.KeyVariable != "" && k.BaseURL != "" {
				env = append(env, k.KeyVariable+"=0123456789abcdef:0123456789abcdef")
			}
		}
	}
	cfg, err := config.Load(env, kinds)
	if err != nil {
		return nil, err
	}
	if w.Slots > 0 {
		cfg.Services[nopName].Concurrency = w.Slots
	}
	a, err := app.New(ctx, cfg, zerolog.New(io.Discard).Level(zerolog.InfoLevel), migrate)
	if err != nil {
		return nil, err
	}
	a.Pictures = pictures
	return a, nil
}

func (byEasel) Work(ctx context.Context, at site, w working) error {
	a, err := open(ctx, at, w, false)
	if err != nil {
		return err
	}
	defer a.Close()
	a.Redis.AddHook(watch{after: func(cmd redis.Cmder) {
		if keys := scriptKeys(cmd); len(keys) == 4 && strings.HasSuffix(keys[0], ":pending") && cmd.Err() == nil {
			w.Told(taken, time.Now())
		}
	}})
	return a.Work(ctx)
}

type easelProducer struct {
	app    *app.App
	handed atomic.Int64 // when the last task was sent to Redis
}

func (byEasel) Produce(ctx context.Context, at site) (producer, error) {
	a, err := open(ctx, at, working{}, false)
	if err != nil {
		return nil, err
	}
	p := &easelProducer{app: a}
	a.Redis.AddHook(watch{before: func(cmd redis.Cmder) {
		if keys := scriptKeys(cmd); len(keys) == 2 && strings.Contains(keys[0], ":t:") {
			p.handed.Store(time.Now().UnixNano())
		}
	}})
	return p, nil
}

func (p *easelProducer) Close() { p.app.Close() }

func (p *easelProducer) Enqueue(ctx context.Context, n int) (time.Time, error) {
	tasks := make([]*task.Task, n)
	for i := range tasks {
		owner := user
		tasks[i] = &task.Task{Request: task.Request{Provider: nopName, Prompt: prompt, Model: model, Size: size, UserID: &owner}}
	}
	_, err := p.app.Client.EnqueueMany(ctx, tasks)
	return time.Unix(0, p.handed.Load()), err
}

// watch is a hook that sees single commands.
type watch struct{ before, after func(redis.Cmder) }

func (watch) DialHook(next redis.DialHook) redis.DialHook { return next }

func (watch) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (h watch) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if h.before != nil {
			h.before(cmd)
		}
		err := next(ctx, cmd)
		if h.after != nil {
			h.after(cmd)
		}
		return err
	}
}

// scriptKeys are the keys of a script: those of asynq have a number that tells which it is.
func scriptKeys(cmd redis.Cmder) []string {
	args := cmd.Args()
	if cmd.Name() != "evalsha" || len(args) < 3 {
		return nil
	}
	n, ok := args[2].(int)
	if !ok || len(args) < 3+n {
		return nil
	}
	keys := make([]string, n)
	for i := range keys {
		keys[i] = fmt.Sprint(args[3+i])
	}
	return keys
}

const nopName = "nop"

// nop is the service that does nothing.
func nop(w working) provider.Kind {
	return provider.Kind{Name: nopName, BuiltIn: true, DefaultModel: model,
		New: func(provider.AccountConfig) (provider.Provider, error) { return nopProvider{working: w}, nil }}
}

type nopProvider struct {
	provider.Sync
	working
}

func (nopProvider) Capabilities(string) provider.Capabilities {
	return provider.Capabilities{MaxImages: 1, Sizes: "any", Free: true}
}

func (nopProvider) Prepare(r provider.Request) (provider.Call, error) {
	return provider.NewCall("nop:draw", r.Model, map[string]string{"prompt": r.Prompt, "size": r.Size})
}

func (p nopProvider) Submit(_ context.Context, c provider.Call) (provider.Answer, error) {
	if c.Key == "" {
		return provider.Answer{}, errors.New("the call is not journalled")
	}
	if p.Told != nil {
		p.Told(called, time.Now())
	}
	return provider.Answer{Done: true, RequestID: c.Key, HTTPStatus: 200, Cost: &task.Money{Currency: "USD"},
		Outputs: []provider.Output{{Bytes: draw(), ContentType: "image/png"}}}, nil
}
