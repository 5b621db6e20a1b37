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

// checkServer refuses an address of Postgres without a host, and one whose password ends it.
func checkServer(v string) error {
	if u, err := url.Parse(v); err != nil || torn(u) || u.Host == "" && u.Query().Get("host") == "" {
		return errors.New("is not a URL with a host (a special character in the password must be written as %XX)")
	}
	return nil
}

// torn reports whether a part of the password was taken for the host and what follows it: an @
// behind the host is what stood before the host. That part would be shown as no secret.
func torn(u *url.URL) bool {
	return u.Fragment != "" || strings.Contains(u.EscapedPath()+u.RawQuery, "@")
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
	if !strings.Contains(v, "://") {
		return errors.New("has no redis:// at its beginning")
	}
	client, err := queue.Redis(v)
	if err == nil {
		defer client.Close()
	}
	if u, bad := url.Parse(v); err != nil || bad != nil || torn(u) {
		return errors.New("cannot be read (a special character in the password must be written as %XX)")
	}
	c.RedisURL = Address(v)
	return nil
}
