package main

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

// config is all that easel is told from outside: the environment and, for the
// providers, easel.yaml. It is read once, at the start of a command.
type config struct {
	Data        string  // folder of everything that has no address of its own
	Pictures    string  // a folder, or s3://BUCKET/PREFIX
	S3          s3Place // where that bucket is
	DatabaseURL address // "sqlite:PATH" or "postgres://…"
	DirectURL   address // the same database past a connection pooler; empty if there is none
	RedisURL    address // empty is the Redis inside this process
	Listen      string
	PublicURL   string // without a slash at its end
	Pages       pagesMode
	Queues      pagesMode    // asynqmon's: read or write
	Annotate    bool         // write into stored pictures how they came about
	Fetch       *guard.Guard // what pictures may be fetched from
	File        string       // the easel.yaml that was read; empty if there is none
	Drain       time.Duration
	Memory      *budget.Budget // bytes for answers and pictures in work
	LogLevel    zerolog.Level
	LogFormat   logFormat

	Providers []providerConfig
	Services  provider.Services
	Notes     []string // what works but is probably not meant, for `easel doctor`
}

// pagesMode says whether tasks can be retried and cancelled from the pages.
type pagesMode string

const (
	pagesAuto  pagesMode = "auto" // only where nobody but this machine reaches them
	pagesRead  pagesMode = "read"
	pagesWrite pagesMode = "write"
)

type logFormat string

const (
	logAuto    logFormat = "" // console on a terminal, JSON elsewhere
	logConsole logFormat = "console"
	logJSON    logFormat = "json"
)

// address is a URL that may hold a password; printing it shows none.
type address string

func (a address) String() string {
	if a == "" || a.scheme() == "sqlite" {
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
func (a address) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

func (a address) scheme() string {
	scheme, _, _ := strings.Cut(string(a), ":")
	return strings.ToLower(scheme)
}

// mistake is one thing wrong with the configuration.
type mistake struct {
	Where    string // "easel.yaml:12: ", empty for the environment
	Name     string
	Problem  string // "is -3", "is missing"; never holds a secret
	Accepted string // what would be right
}

func (m *mistake) Error() string {
	s := m.Where + m.Name + " " + m.Problem
	if m.Accepted != "" {
		s += "; " + m.Accepted
	}
	return s
}

// errConfig marks an error as a mistake in the configuration.
var errConfig = errors.New("the configuration is wrong")

// configError is every mistake of a configuration at once.
type configError struct{ mistakes []error }

func (e *configError) Error() string   { return errors.Join(e.mistakes...).Error() }
func (e *configError) Unwrap() []error { return append([]error{errConfig}, e.mistakes...) }

// loadConfig reads the configuration from env ("NAME=value" lines, as
// os.Environ returns them) and from easel.yaml, and fills in the defaults. Its
// error names every mistake, not just the first, and no secret.
func loadConfig(env []string) (config, error) {
	vars := variables(env)
	c := config{LogLevel: zerolog.InfoLevel, Fetch: &guard.Guard{}}
	mistakes := unknownVariables(vars)
	for _, s := range settings {
		value := vars[s.name]
		if value == "" {
			value = s.fallback(&c, vars)
		}
		if value == "" {
			continue
		}
		if err := s.set(&c, value); err != nil {
			mistakes = append(mistakes, &mistake{Name: s.name, Problem: err.Error(), Accepted: s.accepted})
		}
	}
	providers, wrong := loadProviders(&c, vars)
	mistakes = append(mistakes, wrong...)
	c.Providers = providers
	c.Fetch.Hosts = append(c.Fetch.Hosts, ownHosts(providers)...)
	c.Services, wrong = services(providers, newClient(&c))
	mistakes = append(mistakes, wrong...)
	if len(mistakes) > 0 {
		return c, &configError{mistakes}
	}
	c.Notes = notes(&c)
	return c, nil
}

// loadProviders reads easel.yaml, if there is one, and adds the providers that
// the environment alone makes available.
func loadProviders(c *config, vars map[string]string) ([]providerConfig, []error) {
	if c.File == "" {
		return withBuiltIn(nil, vars)
	}
	text, err := readBounded(c.File, maxConfigFile)
	if err != nil {
		return nil, []error{&mistake{Name: "EASEL_CONFIG", Problem: "cannot be read: " + err.Error()}}
	}
	r := &yamlReader{file: filepath.Base(c.File), vars: vars}
	listed := r.providers(text)
	if len(r.mistakes) > 0 {
		return nil, r.mistakes
	}
	return withBuiltIn(listed, vars)
}

func variables(env []string) map[string]string {
	vars := make(map[string]string, len(env))
	for _, line := range env {
		if name, value, ok := strings.Cut(line, "="); ok {
			vars[name] = value
		}
	}
	return vars
}

// secrets are the keys of all accounts, which nothing that is shown may hold.
func (c *config) secrets() []provider.Secret {
	var all []provider.Secret
	for _, p := range c.Providers {
		for _, a := range p.Accounts {
			all = append(all, a.Key, a.HookSecret)
		}
	}
	return all
}
