package config

import (
	"errors"
	"net/url"
	"strings"

	"github.com/easelqueue/easel/queue"
)

// The addresses of the database and of Redis.

func setDatabase(c *Config, v string) error {
	a := Address(v)
	switch a.Scheme() {
	case "sqlite":
		if strings.TrimPrefix(v, "sqlite:") == "" {
			return errors.New("names no file")
		}
	case "postgres", "postgresql":
		if err := checkServer(v); err != nil {
			return err
		}
	default:
		return errors.New("has a form that is not known")
	}
	c.DatabaseURL = a
	return nil
}

// checkServer refuses an address of Postgres without a host.
func checkServer(v string) error {
	if u, err := url.Parse(v); err != nil || u.Host == "" && u.Query().Get("host") == "" {
		return errors.New("is not a URL with a host (a special character in the password must be written as %XX)")
	}
	return nil
}

func isServer(a Address) bool { return a.Scheme() == "postgres" || a.Scheme() == "postgresql" }

func setDirect(c *Config, v string) error {
	a := Address(v)
	switch {
	case !isServer(a):
		return errors.New("has a form that is not known")
	case !isServer(c.DatabaseURL):
		return errors.New("is set, although the database is no server")
	}
	c.DirectURL = a
	return checkServer(v)
}

func setRedis(c *Config, v string) error {
	client, err := queue.Redis(v)
	if err != nil {
		return errors.New("cannot be read (a special character in the password must be written as %XX)")
	}
	client.Close()
	c.RedisURL = Address(v)
	return nil
}
