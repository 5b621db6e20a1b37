package simulation

import (
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// connectRedis gives p a client whose commands the world can hinder. The address
// is an IP because go-redis resolves names outside of the bubble.
func (w *world) connectRedis(p *process) *redis.Client {
	c := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1", DialerRetries: 1, ContextTimeoutEnabled: true, DisableIdentity: true, Protocol: 2,
		Dialer: func(context.Context, string, string) (net.Conn, error) {
			c, err := w.redis.Dial()
			if err != nil {
				return nil, err
			}
			p.mu.Lock()
			defer p.mu.Unlock()
			p.conns[c] = true
			return &wire{Conn: c, p: p}, nil
		}})
	c.AddHook(hindrance{w, p})
	return c
}

// wire is a connection on which replies get lost after the command was done.
// go-redis then sends the command again.
type wire struct {
	net.Conn
	p *process
}

func (c *wire) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if n > 0 && c.p.lost() {
		c.Close()
		return 0, io.EOF
	}
	return n, asOfNetwork(err)
}

func (c *wire) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	return n, asOfNetwork(err)
}

// asOfNetwork is what a closed pipe would be called if it were a connection.
func asOfNetwork(err error) error {
	if errors.Is(err, io.ErrClosedPipe) {
		return io.EOF
	}
	return err
}

func (c *wire) Close() error {
	c.p.mu.Lock()
	delete(c.p.conns, c.Conn)
	c.p.mu.Unlock()
	return c.Conn.Close()
}

// hindrance stands between a process and its Redis client.
type hindrance struct {
	w *world
	p *process
}

func (h hindrance) DialHook(next redis.DialHook) redis.DialHook { return next }

func (h hindrance) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		return h.through(ctx, []redis.Cmder{cmd}, func() error { return next(ctx, cmd) })
	}
}

func (h hindrance) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		return h.through(ctx, cmds, func() error { return next(ctx, cmds) })
	}
}

// through does the commands as one step of the process.
func (h hindrance) through(ctx context.Context, cmds []redis.Cmder, do func() error) error {
	op := redisOp(cmds)
	if op == "" {
		return do()
	}
	fail := func(err error) error {
		for _, c := range cmds {
			c.SetErr(err)
		}
		return err
	}
	err := h.w.meet(h.p, false, op, "redis")
	if stop := h.p.pass(); stop != nil {
		return fail(stop)
	}
	if err != nil {
		return fail(err)
	}
	if err := h.w.outageOfRedis(ctx, h.p); err != nil {
		return fail(err)
	}
	for _, c := range cmds {
		h.w.book.spill("redis", []string{accountKey, signature}, c.Args()...)
		if h.p.skew != 0 {
			shift(c.Args(), h.p.skew)
		}
	}
	if h.w.idle(op, cmds[0]) {
		err = cmds[0].Err()
	} else {
		err = do()
	}
	if lost := h.w.meet(h.p, true, op, "redis"); lost != nil {
		err = fail(lost)
	}
	if stop := h.p.pass(); stop != nil {
		return fail(stop)
	}
	return err
}

// redisOp names what a process asks of Redis, as far as a fault can be placed
// there; empty for what go-redis does under its own locks.
func redisOp(cmds []redis.Cmder) string {
	first := cmds[0]
	switch name := strings.ToLower(first.Name()); name {
	case "hello", "client", "auth", "select", "ping", "subscribe", "unsubscribe":
		return ""
	case "evalsha", "eval":
		return scriptOp(first.Args())
	default:
		return "redis " + name
	}
}

// scriptOp tells the scripts of asynq and of the limiter apart by their keys.
func scriptOp(args []any) string {
	n, _ := args[2].(int)
	var keys []string
	for _, k := range args[3:min(3+n, len(args))] {
		s, _ := k.(string)
		keys = append(keys, s[strings.LastIndex(s, "}")+1:])
	}
	task := slices.ContainsFunc(keys, func(k string) bool { return strings.HasPrefix(k, ":t:") })
	has := func(k string) bool { return slices.Contains(keys, k) }
	switch {
	case has(":places"):
		return "limit"
	case len(keys) > 0 && keys[0] == ":pending" && has(":paused"):
		return "dequeue"
	case len(keys) > 0 && (keys[0] == ":scheduled" || keys[0] == ":retry"):
		return "forward"
	case task && has(":active") && has(":lease") && !has(":completed"):
		return "ack"
	case task && (has(":pending") || has(":scheduled")) && n == 2:
		return "publish"
	}
	return "script"
}

// idle answers what asynq asks most often, whether there is anything to do, if
// there is nothing. The answer is that of the script; in miniredis a script
// costs more than all else in a run.
func (w *world) idle(op string, cmd redis.Cmder) bool {
	script, ok := cmd.(*redis.Cmd)
	if !ok || op != "dequeue" && op != "forward" {
		return false
	}
	from, _ := script.Args()[3].(string)
	if w.redis.Exists(from) {
		return false
	}
	if op == "dequeue" {
		script.SetErr(redis.Nil)
	} else {
		script.SetVal(int64(0))
	}
	return true
}

// shift moves the points in time among args, which asynq takes from the clock of
// its own machine, by d.
func shift(args []any, d time.Duration) {
	now := time.Now().Unix()
	near := func(t int64) bool { return t > now-7*86400 && t < now+7*86400 }
	for i, a := range args {
		switch v := a.(type) {
		case int64:
			if near(v) {
				args[i] = v + int64(d.Seconds())
			}
		case float64:
			if near(int64(v)) {
				args[i] = v + d.Seconds()
			}
		}
	}
}
