package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"github.com/easelqueue/easel/internal/budget"
	"github.com/easelqueue/easel/internal/human"
)

// Setting is one environment variable.
type Setting struct {
	Name     string
	Help     string // one line, with the default
	accepted string
	fallback func(c *Config, vars map[string]string) string
	set      func(c *Config, value string) error // its error continues "NAME …" and shows the value unless that is secret
}

// Settings is every variable, in the order in which defaults build on each other.
var Settings = slices.Concat(folderSettings, s3Settings, otherSettings)

var folderSettings = []Setting{
	{
		Name: "EASEL_DATA", Help: "folder for the database, the pictures and temporary files (./easel-data)",
		accepted: "accepted is a folder's path", fallback: constant("easel-data"),
		set: func(c *Config, v string) error { return setFolder(&c.Data, v) },
	}, {
		Name: "EASEL_PICTURES", Help: "folder for the pictures, or s3://BUCKET/PREFIX ($EASEL_DATA/pictures)",
		accepted: "accepted are a folder's path and s3://BUCKET/PREFIX",
		fallback: func(c *Config, _ map[string]string) string { return filepath.Join(c.Data, "pictures") },
		set:      func(c *Config, v string) error { return setPictures(c, v) },
	},
}

var otherSettings = []Setting{
	{
		Name: "EASEL_DATABASE_URL", Help: "postgres://user:password@host:5432/name, or sqlite:PATH (a file in $EASEL_DATA)",
		accepted: "accepted are postgres://user:password@host:5432/name and sqlite:PATH",
		fallback: func(c *Config, _ map[string]string) string { return "sqlite:" + filepath.Join(c.Data, "easel.db") },
		set:      setDatabase,
	}, {
		Name: "EASEL_DATABASE_DIRECT_URL", Help: "the same database past a connection pooler, to listen there and for migrations (only with a pooler)",
		accepted: "accepted is postgres://user:password@host:5432/name, beside such an EASEL_DATABASE_URL",
		fallback: constant(""), set: setDirect,
	}, {
		Name: "EASEL_JOURNAL", Help: "write what tasks say at the same time one by one (direct), or together, which is being tried (batched) (direct)",
		accepted: "accepted are direct and batched", fallback: constant("direct"), set: setJournal,
	}, {
		Name: "EASEL_REDIS_URL", Help: "redis://, redis-sentinel:// or redis-cluster://, with TLS rediss (a Redis inside the process)",
		accepted: "accepted are redis://host:6379/0, redis-sentinel://host,host/master and redis-cluster://host,host; with TLS they begin with rediss",
		fallback: constant(""), set: setRedis,
	}, {
		Name: "EASEL_LISTEN", Help: "address of the web pages (127.0.0.1:8080)",
		accepted: "accepted is host:port with a port from 0 to 65535, such as 127.0.0.1:8080",
		fallback: constant("127.0.0.1:8080"), set: setListen,
	}, {
		Name: "EASEL_PUBLIC_URL", Help: "address under which people reach this server (http://$EASEL_LISTEN)",
		accepted: "accepted is an http or https URL without user, query and fragment", fallback: publicURL, set: setPublicURL,
	}, {
		Name: "EASEL_PAGES", Help: "who reaches the pages may read or also write: auto is write if only this machine reaches them (auto)",
		accepted: "accepted are auto, read and write", fallback: constant("auto"), set: setPages,
	}, {
		Name: "EASEL_QUEUES", Help: "asynqmon at /queues only shows (read), or has its buttons too wherever the pages take changes (write) (read)",
		accepted: "accepted are read and write", fallback: constant("read"), set: setQueues,
	}, {
		Name: "EASEL_PICTURE_METADATA", Help: "write prompt, model, seed and task into stored PNG and JPEG files (off)",
		accepted: "accepted are on and off", fallback: constant("off"), set: setMetadata,
	}, {
		Name: "EASEL_FETCH_ALLOW", Help: "what pictures may be fetched from besides public addresses: networks, addresses, host:port, proxy (nothing)",
		accepted: "accepted are networks such as 10.1.0.0/16, addresses, host:port and the word proxy, joined by commas", fallback: constant(""), set: setFetch,
	}, {
		Name: "EASEL_CONFIG", Help: "file that configures the providers (./easel.yaml, if it is there)",
		accepted: "accepted is the path of a readable YAML file", fallback: defaultFile, set: setFile,
	}, {
		Name: "EASEL_MEMORY", Help: "memory that answers, and pictures while they are decoded, may take together; the process takes more: 638 MiB at most were measured with 512MiB (512MiB)",
		accepted: "accepted are sizes from 64MiB to 1TiB", fallback: constant("512MiB"), set: setMemory,
	}, {
		Name: "EASEL_DRAIN", Help: "how long a stopping worker waits for running calls (310s)",
		accepted: "accepted are durations from 0s to 1h, such as 310s", fallback: constant("310s"), set: setDrain,
	}, {
		Name: "EASEL_LOG", Help: "level (debug, info, warn, error) and format (console, json), such as debug,json (info)",
		accepted: "accepted are debug, info, warn, error, off and console or json, joined by a comma",
		fallback: constant("info"), set: setLog,
	},
}

func constant(value string) func(*Config, map[string]string) string {
	return func(*Config, map[string]string) string { return value }
}

func defaultFile(*Config, map[string]string) string {
	if _, err := os.Stat("easel.yaml"); err == nil {
		return "easel.yaml"
	}
	return ""
}

func setFile(c *Config, v string) error {
	info, err := os.Stat(v)
	if err != nil {
		return fmt.Errorf("is %q, which cannot be read: %w", v, errors.Unwrap(err))
	}
	if info.IsDir() {
		return fmt.Errorf("is %q, which is a folder", v)
	}
	c.File = v
	return nil
}

// The bounds of EASEL_MEMORY: less decodes hardly a picture, more is a slip.
const (
	minMemory = 64 << 20
	maxMemory = 1 << 40
)

func setMemory(c *Config, v string) error {
	n, err := human.ParseSize(v)
	if err != nil || n < minMemory || n > maxMemory {
		return fmt.Errorf("is %q", v)
	}
	c.Memory = &budget.Budget{Size: int64(n)}
	return nil
}

func setDrain(c *Config, v string) error {
	d, err := time.ParseDuration(v)
	if err != nil || d < 0 || d > time.Hour {
		return fmt.Errorf("is %q", v)
	}
	c.Drain = d
	return nil
}

func setLog(c *Config, v string) error {
	for part := range strings.SplitSeq(v, ",") {
		switch part = strings.ToLower(strings.TrimSpace(part)); part {
		case "console", "json":
			c.LogFormat = LogFormat(part)
		case "off":
			c.LogLevel = zerolog.Disabled
		case "debug", "info", "warn", "error":
			c.LogLevel, _ = zerolog.ParseLevel(part)
		default:
			return fmt.Errorf("is %q", v)
		}
	}
	return nil
}

// injected matches what Kubernetes and Docker add to the environment for a
// service called easel or easel-something.
var injected = regexp.MustCompile(`^EASEL(_[A-Z0-9]+)*_(SERVICE_(HOST|PORT)(_[A-Z0-9_]+)?|PORT(_[0-9]+_(TCP|UDP|SCTP)(_[A-Z]+)?)?)$`)

// unknownVariables refuses EASEL_ variables that mean nothing: a misspelt name
// would otherwise be a setting silently not made.
func unknownVariables(vars map[string]string) []error {
	var names []string
	for _, s := range Settings {
		names = append(names, s.Name)
	}
	var errs []error
	for name := range vars {
		if !strings.HasPrefix(name, "EASEL_") || slices.Contains(names, name) || injected.MatchString(name) {
			continue
		}
		m := &Mistake{Name: name, Problem: "is not a setting of easel", Accepted: "see `easel help environment` for those that are"}
		if near := human.Nearest(name, names); near != "" {
			m.Accepted = "did you mean " + near + "?"
		}
		errs = append(errs, m)
	}
	slices.SortFunc(errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errs
}
