package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/spf13/cobra"

	checker "github.com/easelqueue/easel/check"
	"github.com/easelqueue/easel/enqueue"
	"github.com/easelqueue/easel/internal/app"
	"github.com/easelqueue/easel/internal/cli"
	"github.com/easelqueue/easel/internal/config"
	"github.com/easelqueue/easel/internal/fakeprovider"
	"github.com/easelqueue/easel/queue"
	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
)

// The processes that a self-test starts. They are no use to people and so in no help.

// serviceRole is the service that bills. It says on stdout where it listens.
func (a *program) serviceRole() *cobra.Command {
	var o fakeprovider.Options
	c := &cobra.Command{Use: "service", Hidden: true, Args: cli.Takes(0, 0), RunE: func(c *cobra.Command, _ []string) error {
		vars := config.Variables(a.env)
		o.Key, o.Token, o.CallbackSecret, o.Takes, o.Latency = vars["FAKEPROVIDER_KEY"], vars["FAKEPROVIDER_TOKEN"], vars["FAKEPROVIDER_CALLBACK_SECRET"], 4*time.Second, 50*time.Millisecond
		o.Inline = true
		s, err := fakeprovider.Open(o)
		if err != nil {
			return err
		}
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return errors.Join(err, s.Close())
		}
		fmt.Fprintf(a.out.Stdout, "http://%s\n", listener.Addr())
		server := &http.Server{Handler: s, ReadHeaderTimeout: 10 * time.Second}
		stop := context.AfterFunc(c.Context(), func() { server.Close() })
		defer stop()
		err = server.Serve(listener)
		return errors.Join(err, s.Close())
	}}
	c.Flags().StringVar(&o.Ledger, "ledger", "", "file of its book")
	c.Flags().Uint64Var(&o.Seed, "seed", 1, "of the time that pictures take")
	return c
}

// producerRole brings tasks in through every door until it is told to stop.
func (a *program) producerRole() *cobra.Command {
	var p producer
	var rate int
	var path string
	c := &cobra.Command{Use: "producer", Hidden: true, Args: cli.Takes(0, 0), RunE: func(c *cobra.Command, _ []string) error {
		cfg, err := config.Load(a.env, kinds)
		if err != nil {
			return err
		}
		if p.file, err = os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600); err != nil {
			return err
		}
		defer p.file.Close()
		p.every = time.Second / time.Duration(max(rate, 1))
		return p.run(c.Context(), a, cfg)
	}}
	c.Flags().StringVar(&p.name, "name", "p", "begin of its tags")
	c.Flags().StringSliceVar(&p.providers, "providers", nil, "whose tasks they are")
	c.Flags().IntVar(&rate, "rate", 1, "tasks per second")
	c.Flags().StringVar(&path, "told", "", "file of what it was told")
	return c
}

// producer is one client.
type producer struct {
	name      string
	providers []string
	every     time.Duration
	file      *os.File
	tasks     *store.Store
	client    *enqueue.Client
}

func (p *producer) run(ctx context.Context, a *program, cfg config.Config) (err error) {
	for p.tasks == nil { // the network may be away just now
		if p.tasks, err = app.Connect(ctx, cfg); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			a.out.Say("%s", err)
		}
	}
	defer p.tasks.Close()
	client, err := queue.Redis(string(cfg.RedisURL))
	if err != nil {
		return err
	}
	defer client.Close()
	log := app.NewLog(a.logTo(), cfg)
	p.client = &enqueue.Client{Tasks: p.tasks, Queue: &queue.Queue{Redis: client, Log: log}, Services: cfg.Services, Log: log}
	tick := time.NewTicker(p.every)
	defer tick.Stop()
	for i := 0; ; i++ {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if err := p.one(ctx, p.providers[i%len(p.providers)], fmt.Sprintf("%s-%06d", p.name, i+1), i); err != nil {
			return err
		}
	}
}

// one brings one task in. A client with a key asks until it knows; one without
// asks once.
func (p *producer) one(ctx context.Context, provider, tag string, i int) error {
	door := []string{"key", "library", "tx", "sql"}[i/len(p.providers)%4]
	began := checker.When{Time: time.Now()}
	// A client that is killed tells nobody what it has asked for.
	if err := p.tell(checker.Told{Began: began, Event: "lost", Tag: tag, Door: door, Detail: "about to ask"}); err != nil {
		return err
	}
	for {
		t := &task.Task{Request: task.Request{Provider: provider, Prompt: tag + " 一只红狐狸", MaxAttempts: 10}}
		if door == "key" {
			t.IdempotencyKey = tag
		}
		asking, cancel := context.WithTimeout(context.WithoutCancel(ctx), 15*time.Second)
		err := p.insert(asking, door, t)
		cancel()
		said := checker.Told{Began: began, Event: "acked", Task: t.ID, Tag: tag, Door: door}
		switch {
		case err == nil:
			return p.tell(said)
		case door != "key" || ctx.Err() != nil:
			said.Event, said.Task, said.Detail = "lost", 0, err.Error()
			return p.tell(said)
		}
		pause := time.NewTimer(time.Second)
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
		}
	}
}

func (p *producer) insert(ctx context.Context, door string, t *task.Task) error {
	switch door {
	case "tx":
		tx, err := p.tasks.DB().BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		defer tx.Rollback()
		if _, err := p.client.EnqueueTx(ctx, tx, t); err != nil {
			return err
		}
		return tx.Commit()
	case "sql":
		return p.tasks.DB().QueryRowContext(ctx, `INSERT INTO image_generations (provider, prompt, max_attempts, run_at, created_at, updated_at)
			VALUES ($1, $2, 10, now(), now(), now()) RETURNING id`, t.Provider, t.Prompt).Scan(&t.ID)
	}
	_, err := p.client.Enqueue(ctx, t)
	return err
}

// tell writes down what the client now knows, before it does anything else.
func (p *producer) tell(t checker.Told) error {
	t.At = checker.When{Time: time.Now()}
	line, err := json.Marshal(t)
	if err != nil {
		return err
	}
	if _, err := p.file.Write(append(line, '\n')); err != nil {
		return err
	}
	return p.file.Sync()
}

// workerRole is a worker whose clock may be wrong, as far as Redis gets to see it.
func (a *program) workerRole() *cobra.Command {
	var off time.Duration
	c := &cobra.Command{Use: "worker", Hidden: true, Args: cli.Takes(0, 0), RunE: func(c *cobra.Command, _ []string) error {
		return a.with(c.Context(), false, func(ctx context.Context, e *app.App) error {
			if off != 0 {
				e.Redis.AddHook(wrongClock{off})
			}
			return e.Work(ctx)
		})
	}}
	c.Flags().DurationVar(&off, "clock", 0, "by how much its clock is ahead")
	return c
}

// upRole is a worker with pages.
func (a *program) upRole() *cobra.Command {
	return &cobra.Command{Use: "up", Hidden: true, Args: cli.Takes(0, 0), RunE: func(c *cobra.Command, _ []string) error {
		return a.with(c.Context(), true, func(ctx context.Context, e *app.App) error {
			listener, err := app.Listen(ctx, e.Config)
			if err != nil {
				return err
			}
			return e.Run(ctx, listener)
		})
	}}
}

// wrongClock moves the points in time that asynq takes from this machine's clock.
type wrongClock struct{ ahead time.Duration }

func (h wrongClock) DialHook(next redis.DialHook) redis.DialHook { return next }

func (h wrongClock) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		h.shift(cmd.Args())
		return next(ctx, cmd)
	}
}

func (h wrongClock) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, all []redis.Cmder) error {
		for _, cmd := range all {
			h.shift(cmd.Args())
		}
		return next(ctx, all)
	}
}

const week = 7 * 24 * 3600

func (h wrongClock) shift(args []any) {
	now := time.Now().Unix()
	near := func(t int64) bool { return t > now-week && t < now+week }
	for i, a := range args {
		switch v := a.(type) {
		case int64:
			if near(v) {
				args[i] = v + int64(h.ahead.Seconds())
			}
		case float64:
			if near(int64(v)) {
				args[i] = v + h.ahead.Seconds()
			}
		}
	}
}
