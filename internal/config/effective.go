package config

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"github.com/easelqueue/easel/guard"
	"github.com/easelqueue/easel/internal/budget"
	"github.com/easelqueue/easel/internal/human"
	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/task"
)

// Effective is the configuration as it works, by the names of its variables,
// without secrets.
func (c *Config) Effective() map[string]string {
	return map[string]string{
		"EASEL_DATA":                c.Data,
		"EASEL_PICTURES":            c.Pictures,
		"EASEL_S3_ENDPOINT":         c.S3.Endpoint,
		"EASEL_S3_REGION":           cmp.Or(c.S3.Region, "(asked for)"),
		"EASEL_S3_STYLE":            map[bool]string{false: "path", true: "host"}[c.S3.HostStyle],
		"EASEL_S3_ACCESS_KEY":       shownSecret(c.S3.AccessKey),
		"EASEL_S3_SECRET_KEY":       shownSecret(c.S3.SecretKey),
		"EASEL_S3_PUBLIC_URL":       cmp.Or(c.S3.PublicURL, "(none)"),
		"EASEL_S3_PRESIGN":          cmp.Or(lentFor(c.S3.Lend), "(easel serves them)"),
		"EASEL_DATABASE_URL":        c.DatabaseURL.String(),
		"EASEL_DATABASE_DIRECT_URL": cmp.Or(c.DirectURL.String(), "(none)"),
		"EASEL_JOURNAL":             map[bool]string{false: "direct", true: "batched"}[c.Batched],
		"EASEL_REDIS_URL":           cmp.Or(c.RedisURL.String(), "(inside the process)"),
		"EASEL_LISTEN":              c.Listen,
		"EASEL_PUBLIC_URL":          c.PublicURL,
		"EASEL_PAGES":               string(c.Pages),
		"EASEL_QUEUES":              string(c.Queues),
		"EASEL_PICTURE_METADATA":    map[bool]string{false: "off", true: "on"}[c.Annotate],
		"EASEL_FETCH_ALLOW":         fetchAllowed(c.Fetch),
		"EASEL_CONFIG":              cmp.Or(c.File, "(none)"),
		"EASEL_MEMORY":              shownMemory(c.Memory),
		"EASEL_DRAIN":               human.Duration(c.Drain),
		"EASEL_LOG":                 c.LogLevel.String() + "," + cmp.Or(string(c.LogFormat), "auto"),
	}
}

// lentFor is empty where nothing is lent.
func lentFor(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return human.Duration(d)
}

// shownMemory is the size of the budget, which there is none of while EASEL_MEMORY is wrong.
func shownMemory(b *budget.Budget) string {
	if b == nil {
		return "(not accepted)"
	}
	return human.BinarySize(b.Size)
}

// shownSecret says that there is a secret, or none.
func shownSecret(s provider.Secret) string {
	if s == "" {
		return "(none)"
	}
	return s.String()
}

// fetchAllowed is what may be fetched from besides public addresses.
func fetchAllowed(g *guard.Guard) string {
	var all []string
	for _, p := range g.Allow {
		all = append(all, p.String())
	}
	all = append(all, g.Hosts...)
	if g.Proxy {
		all = append(all, "proxy")
	}
	return cmp.Or(strings.Join(all, ","), "(public addresses)")
}

// serverErrorRule is what happens to a call that the service failed by its own fault.
func serverErrorRule(r task.Retry) string {
	if r.HoldServerErrors {
		return "on_server_error hold"
	}
	return fmt.Sprintf("server_errors %d", r.WithDefaults().ServerErrors)
}

// MarshalZerologObject logs the effective configuration.
func (c *Config) MarshalZerologObject(e *zerolog.Event) {
	effective := c.Effective()
	for _, s := range Settings {
		e.Str(s.Name, effective[s.Name])
	}
	for _, name := range c.Services.Names() {
		s := c.Services[name]
		e.Str("provider."+name, fmt.Sprintf("%d accounts, model %q, concurrency %d, timeout %s, deadline %s, on_unknown %s, %s",
			len(s.Accounts), s.DefaultModel, s.Concurrency, human.Duration(s.Timeout), human.Duration(s.Deadline), cmp.Or(s.Retry.OnUnknown, "hold"), serverErrorRule(s.Retry)))
	}
}
