// Package config reads the environment and easel.yaml into what the rooms are configured
// with. It names every mistake at once, and no secret.
package config

import (
	"errors"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"github.com/easelqueue/easel/guard"
	"github.com/easelqueue/easel/internal/budget"
	"github.com/easelqueue/easel/provider"
)

// Config is all that easel is told from outside: the environment and, for the
// providers, easel.yaml. It is read once, at the start of a command.
type Config struct {
	Data        string  // folder of everything that has no address of its own
	Pictures    string  // a folder, or s3://BUCKET/PREFIX
	S3          S3      // where that bucket is
	DatabaseURL Address // "sqlite:PATH" or "postgres://…"
	DirectURL   Address // the same database past a connection pooler; empty if there is none
	Batched     bool    // what steps write at the same time is written together
	RedisURL    Address // empty is the Redis inside this process
	Listen      string
	PublicURL   string // without a slash at its end
	Pages       Mode
	Queues      Mode         // asynqmon's: read or write
	Annotate    bool         // write into stored pictures how they came about
	Fetch       *guard.Guard // what pictures may be fetched from
	File        string       // the easel.yaml that was read; empty if there is none
	Drain       time.Duration
	Memory      *budget.Budget // bytes for answers and pictures in work
	LogLevel    zerolog.Level
	LogFormat   LogFormat

	Kinds     provider.Kinds // of services that are known
	Providers []Provider
	Services  provider.Services
	Notes     []string // what works but is probably not meant, for `easel doctor`
}

// Mode says whether tasks can be retried and cancelled from the pages.
type Mode string

const (
	Auto  Mode = "auto" // only where nobody but this machine reaches them
	Read  Mode = "read"
	Write Mode = "write"
)

// LogFormat is how the log looks.
type LogFormat string

const (
	LogAuto    LogFormat = "" // console on a terminal, JSON elsewhere
	LogConsole LogFormat = "console"
	LogJSON    LogFormat = "json"
)

// Address is a URL that may hold a password; printing it shows none.
type Address string

func (a Address) String() string {
	if a == "" || a.Scheme() == "sqlite" {
		return string(a)
	}
	scheme, rest, ok := strings.Cut(string(a), "://")
	if !ok {
		return "***"
	}
	// net/url is of no use here: it refuses several hosts, and a bad address must not be shown either.
	if at := strings.LastIndex(rest, "@"); at >= 0 {
		user, _, _ := strings.Cut(rest[:at], ":")
		rest = user + rest[at:]
	}
	rest, query, ok := strings.Cut(rest, "?")
	if ok {
		rest += "?" + withoutPasswords(query)
	}
	return scheme + "://" + rest
}

func withoutPasswords(query string) string {
	values, err := url.ParseQuery(query)
	if err != nil {
		return "***"
	}
	for name := range values {
		if strings.Contains(strings.ToLower(name), "pass") {
			values.Set(name, "xxx")
		}
	}
	return values.Encode()
}

// MarshalText makes JSON and logs show what String shows.
func (a Address) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// Scheme is what stands before the first colon, in small letters.
func (a Address) Scheme() string {
	scheme, _, _ := strings.Cut(string(a), ":")
	return strings.ToLower(scheme)
}

// Mistake is one thing wrong with the configuration.
type Mistake struct {
	Where    string // "easel.yaml:12: ", empty for the environment
	Name     string
	Problem  string // "is -3", "is missing"; never holds a secret
	Accepted string // what would be right
}

func (m *Mistake) Error() string {
	s := m.Where + m.Name + " " + m.Problem
	if m.Accepted != "" {
		s += "; " + m.Accepted
	}
	return s
}

// ErrWrong marks an error as a mistake in the configuration.
var ErrWrong = errors.New("the configuration is wrong")

// Mistakes is every mistake of a configuration at once.
type Mistakes []error

func (m Mistakes) Error() string   { return errors.Join(m...).Error() }
func (m Mistakes) Unwrap() []error { return append([]error{ErrWrong}, m...) }

// Load reads the configuration from env ("NAME=value" lines, as os.Environ returns them)
// and from easel.yaml, whose providers are of these kinds, and fills in the defaults. Its
// error is Mistakes.
func Load(env []string, kinds provider.Kinds) (Config, error) {
	vars := Variables(env)
	c := Config{LogLevel: zerolog.InfoLevel, Fetch: &guard.Guard{}, Kinds: kinds}
	mistakes := unknownVariables(vars)
	for _, s := range Settings {
		value := vars[s.Name]
		if value == "" {
			value = s.fallback(&c, vars)
		}
		if value == "" {
			continue
		}
		if err := s.set(&c, value); err != nil {
			mistakes = append(mistakes, &Mistake{Name: s.Name, Problem: err.Error(), Accepted: s.accepted})
		}
	}
	providers, wrong := loadProviders(&c, vars)
	mistakes = append(mistakes, wrong...)
	c.Providers = providers
	c.Fetch.Hosts = append(c.Fetch.Hosts, ownHosts(providers)...)
	c.Services, wrong = services(providers, c.Client())
	mistakes = append(mistakes, wrong...)
	if len(mistakes) > 0 {
		return c, Mistakes(mistakes)
	}
	c.Notes = notes(&c)
	return c, nil
}

// loadProviders reads easel.yaml, if there is one, and adds the providers that
// the environment alone makes available.
func loadProviders(c *Config, vars map[string]string) ([]Provider, []error) {
	if c.File == "" {
		return withBuiltIn(c.Kinds, nil, vars)
	}
	text, err := ReadFile(c.File, maxConfigFile)
	if err != nil {
		return nil, []error{&Mistake{Name: "EASEL_CONFIG", Problem: "cannot be read: " + err.Error()}}
	}
	r := &yamlReader{file: filepath.Base(c.File), vars: vars, kinds: c.Kinds}
	listed := r.providers(text)
	if len(r.mistakes) > 0 {
		return nil, r.mistakes
	}
	return withBuiltIn(c.Kinds, listed, vars)
}

// Variables are env by their names; of two with one name the last holds.
func Variables(env []string) map[string]string {
	vars := make(map[string]string, len(env))
	for _, line := range env {
		if name, value, ok := strings.Cut(line, "="); ok {
			vars[name] = value
		}
	}
	return vars
}

// Secrets are the keys of all accounts, which nothing that is shown may hold.
func (c *Config) Secrets() []provider.Secret {
	var all []provider.Secret
	for _, p := range c.Providers {
		for _, a := range p.Accounts {
			all = append(all, a.Key, a.CallbackSecret)
		}
	}
	return all
}

// Spool is the folder in which workers keep paid answers while the database is away.
func (c *Config) Spool() string { return filepath.Join(c.Data, "spool") }

// Temp is the folder for downloads and large answers.
func (c *Config) Temp() string { return filepath.Join(c.Data, "tmp") }

// MistakesOf returns the mistakes of a configuration one by one.
func MistakesOf(err error) []error {
	var wrong Mistakes
	if errors.As(err, &wrong) {
		return wrong
	}
	return []error{err}
}
