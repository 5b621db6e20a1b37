package app

import (
	"context"
	"fmt"
	"io"
	"net"
	"runtime/debug"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"

	"github.com/easelqueue/easel/internal/config"
)

// LogTo is where a log goes, and what its reader can take.
type LogTo struct {
	Writer   io.Writer
	Terminal bool // Writer is one
	Color    bool // it shows colours
}

// NewLog writes for a person on a terminal, else JSON.
func NewLog(to LogTo, cfg config.Config) zerolog.Logger {
	zerolog.TimeFieldFormat = time.RFC3339Nano
	zerolog.DurationFieldUnit = time.Millisecond
	log := zerolog.New(to.Writer)
	if to.forPeople(cfg) {
		log = zerolog.New(zerolog.ConsoleWriter{Out: to.Writer, TimeFormat: "15:04:05.000", NoColor: !to.Color})
	}
	return log.Level(cfg.LogLevel).With().Timestamp().Logger()
}

func (to LogTo) forPeople(cfg config.Config) bool {
	return cfg.LogFormat == config.LogConsole || cfg.LogFormat == config.LogAuto && to.Terminal
}

// With wires an easel that logs there, runs work with it and takes it down. env tells whether
// somebody has set the memory's limit already.
func With(ctx context.Context, cfg config.Config, env []string, to LogTo, migrate bool, work func(context.Context, *App) error) error {
	holdMemory(env, cfg)
	log := NewLog(to, cfg)
	a, err := New(ctx, cfg, log, migrate)
	if err != nil {
		return err // and nothing else: `easel doctor` shows the configuration
	}
	defer a.Close()
	log.Info().EmbedObject(&cfg).Msg("configuration")
	return work(ctx, a)
}

// Quiet takes the lines that go-redis prints by itself about connections that fail;
// whoever makes the call gets the error.
func Quiet() { redis.SetLogger(silent{}) }

type silent struct{}

func (silent) Printf(context.Context, string, ...any) {}

// overhead is what the process takes besides what its budget lends.
const overhead = 96 << 20

// holdMemory lets the garbage of pictures be collected before it adds to their memory,
// unless GOMEMLIMIT says when.
func holdMemory(env []string, cfg config.Config) {
	if config.Variables(env)["GOMEMLIMIT"] == "" {
		debug.SetMemoryLimit(cfg.Memory.Size + overhead)
	}
}

// Listen takes the address of the pages.
func Listen(ctx context.Context, cfg config.Config) (net.Listener, error) {
	var l net.ListenConfig
	listener, err := l.Listen(ctx, "tcp", cfg.Listen)
	if err != nil {
		return nil, fmt.Errorf("EASEL_LISTEN: %w; choose another address", err)
	}
	return listener, nil
}
