package selftest

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/easelqueue/easel/enqueue"
	"github.com/easelqueue/easel/internal/throwaway"
	"github.com/easelqueue/easel/queue"
	"github.com/easelqueue/easel/store"
)

// Server is what can be done to a server that is ours.
type server interface {
	Pid() int
	Kill() error
	Stop() error
	Restart(ctx context.Context) error
	Close() error
}

// site is the world that is attacked.
type site struct {
	database, redisAt server // nil where the server is given or embedded
	storage           server // S3; nil if the pictures lie in a folder
	embedded          *miniredis.Miniredis
	clock             func(ahead time.Duration) error // sets the database's; nil where it cannot be had
	databaseURL       string                          // without a proxy
	redisURL          string
	storageURL        string

	fakeprovider    *child
	fakeproviderURL string // without a proxy
	ledger          string
	storing         string // folder that the pictures lie in, as files or as objects of the S3 server
	full            bool   // it is a file system that can be filled

	net *network

	// These go around the proxies: they are the observer's.
	tasks  *store.Store
	redis  redis.UniversalClient
	client *enqueue.Client

	key, token, hookSecret string // canaries
}

func (r *run) open(ctx context.Context) error {
	r.key, r.token = "canary-key-"+rand.Text(), "canary-token-"+rand.Text()
	r.hookSecret = "whsec_" + base64.StdEncoding.EncodeToString([]byte("canary-hook-"+rand.Text()))
	for _, open := range []func(context.Context) error{r.openStorage, r.openDatabase, r.openRedis, r.openFakeProvider, r.empty} {
		if err := open(ctx); err != nil {
			return err
		}
	}
	r.client = &enqueue.Client{Tasks: r.tasks, Queue: &queue.Queue{Redis: r.redis}}
	r.net = newNetwork()
	return nil
}

func (r *run) openDatabase(ctx context.Context) (err error) {
	r.databaseURL = r.DatabaseURL
	if r.databaseURL == "" {
		server, err := r.ownPostgres(ctx)
		if err == nil {
			r.database, r.databaseURL = server, withPassword(server.URL)
		} else {
			r.Say("PostgreSQL was not started, so the database is a file: " + firstLine(err))
			r.databaseURL = "sqlite:" + filepath.Join(r.Folder, "easel.db")
		}
	}
	if r.tasks, err = store.Open(ctx, r.databaseURL); err != nil {
		return fmt.Errorf("the database: %w", err)
	}
	if _, err = r.tasks.Migrate(ctx); err != nil {
		return fmt.Errorf("the database: %w", err)
	}
	return nil
}

// ownPostgres has a clock that can be set if the library for that is installed.
func (r *run) ownPostgres(ctx context.Context) (*throwaway.Server, error) {
	o := throwaway.Options{Clock: true, Settings: map[string]string{"max_connections": "300"}}
	server, err := throwaway.Postgres(ctx, o)
	if err == nil {
		r.clock = server.SetClock
		return server, nil
	}
	o.Clock = false
	server, without := throwaway.Postgres(ctx, o)
	if without == nil {
		r.Say("the database's clock does not jump: " + firstLine(err))
	}
	return server, without
}

// withPassword adds a canary as the password, which our own server does not ask for.
func withPassword(at string) string {
	u, err := url.Parse(at)
	if err != nil {
		return at
	}
	u.User = url.UserPassword(u.User.Username(), "canary-password-"+rand.Text())
	return u.String()
}

func (r *run) openRedis(ctx context.Context) (err error) {
	r.redisURL = r.RedisURL
	if r.redisURL == "" {
		server, err := throwaway.Redis(ctx, throwaway.Options{Durable: true})
		if err == nil {
			r.redisAt, r.redisURL = server, server.URL
		} else {
			r.Say("Redis was not started, so one inside this process serves: " + firstLine(err))
			r.embedded = miniredis.NewMiniRedis()
			if err := r.embedded.StartAddr("127.0.0.1:0"); err != nil {
				return err
			}
			r.embedded.ClockTTL(true)
			r.redisURL = "redis://" + r.embedded.Addr()
		}
	}
	if r.redis, err = queue.Redis(r.redisURL); err != nil {
		return fmt.Errorf("the redis: %w", err)
	}
	return nil
}

// empty refuses servers that are in use: this test destroys what they hold.
func (r *run) empty(ctx context.Context) error {
	if n, err := r.tasks.Count(ctx, store.Filter{}); err != nil || n > 0 {
		return errors.Join(err, fmt.Errorf("the database holds %d tasks; the self-test wants one of its own, without any", n))
	}
	if n, err := r.redis.DBSize(ctx).Result(); err != nil || n > 0 {
		return errors.Join(err, fmt.Errorf("the redis holds %d keys; the self-test wants one of its own, for it deletes everything there", n))
	}
	return nil
}

// openFakeProvider starts the service and reads where it listens.
func (r *run) openFakeProvider(ctx context.Context) error {
	r.ledger = filepath.Join(r.Folder, "ledger.jsonl")
	out, in, err := os.Pipe()
	if err != nil {
		return err
	}
	defer out.Close()
	r.fakeprovider, err = r.spawn("fakeprovider", in, []string{"FAKEPROVIDER_KEY=" + r.key, "FAKEPROVIDER_TOKEN=" + r.token, "FAKEPROVIDER_CALLBACK_SECRET=" + r.hookSecret},
		"service", "--ledger", r.ledger, "--seed", fmt.Sprint(r.Seed))
	in.Close()
	if err != nil {
		return err
	}
	if err := out.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
		return err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return fmt.Errorf("the fake provider did not say where it listens: %w; its log is in %s", err, filepath.Join(r.Folder, "sinks"))
	}
	r.fakeproviderURL = strings.TrimSpace(line)
	return ctx.Err()
}

func (s *site) close() error {
	var errs []error
	if s.net != nil {
		s.net.close()
	}
	if s.fakeprovider != nil {
		s.fakeprovider.kill()
	}
	if s.redis != nil {
		errs = append(errs, s.redis.Close())
	}
	if s.tasks != nil {
		errs = append(errs, s.tasks.Close())
	}
	if s.embedded != nil {
		s.embedded.Close()
	}
	for _, server := range []server{s.storage, s.redisAt, s.database} {
		if server != nil {
			errs = append(errs, server.Close())
		}
	}
	if s.full {
		errs = append(errs, unmount(s.storing))
	}
	return errors.Join(errs...)
}

func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}
