package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"

	"github.com/easelqueue/easel/task"
)

// setFolder refuses an address: it would become a folder of that name.
func setFolder(to *string, v string) error {
	if strings.Contains(v, "://") || strings.HasPrefix(v, "s3:") {
		return fmt.Errorf("is %q", task.WithoutUser(v))
	}
	return setPath(to, v)
}

func setPictures(c *Config, v string) error {
	if strings.HasPrefix(v, bucketScheme) {
		if strings.Contains(v, "@") { // a bucket has no user, and its errors would tell the password
			return fmt.Errorf("is %q", task.WithoutUser(v))
		}
		return setPath(&c.Pictures, v)
	}
	return setFolder(&c.Pictures, v)
}

func setPath(to *string, v string) error {
	if strings.ContainsFunc(v, func(r rune) bool { return r < ' ' }) {
		return fmt.Errorf("is %q, which holds a control character", task.WithoutUser(v))
	}
	*to = v
	return nil
}

func setURL(to *string, v string) error {
	u, err := url.Parse(v)
	if err != nil || !plainURL(u) {
		return errors.New("is not such a URL")
	}
	*to = strings.TrimRight(v, "/")
	return nil
}

func setListen(c *Config, v string) error {
	_, port, err := net.SplitHostPort(v)
	if err != nil {
		return fmt.Errorf("is %q", task.WithoutUser(v))
	}
	if _, err := parseInt(port, 0, 65535); err != nil {
		return fmt.Errorf("is %q", task.WithoutUser(v))
	}
	c.Listen = v
	return nil
}

func publicURL(c *Config, _ map[string]string) string {
	host, port, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return ""
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	return "http://" + net.JoinHostPort(host, port)
}

func setPublicURL(c *Config, v string) error {
	u, err := url.Parse(v)
	if err != nil || !plainURL(u) {
		return errors.New("is not such a URL")
	}
	c.PublicURL = strings.TrimRight(v, "/")
	return nil
}

func setPages(c *Config, v string) error {
	switch v = strings.ToLower(v); Mode(v) {
	case Auto, Read, Write:
		c.Pages = Mode(v)
		return nil
	}
	return fmt.Errorf("is %q", v)
}

func setQueues(c *Config, v string) error {
	switch v = strings.ToLower(v); Mode(v) {
	case Read, Write:
		c.Queues = Mode(v)
		return nil
	}
	return fmt.Errorf("is %q", v)
}

func setJournal(c *Config, v string) error {
	switch v {
	case "direct", "batched":
		c.Batched = v == "batched"
		return nil
	}
	return fmt.Errorf("is %q", v)
}

func setMetadata(c *Config, v string) error {
	switch v {
	case "on", "off":
		c.Annotate = v == "on"
		return nil
	}
	return fmt.Errorf("is %q", v)
}

// maxFetchAllow is how many entries EASEL_FETCH_ALLOW may have.
const maxFetchAllow = 100

func setFetch(c *Config, v string) error {
	entries := strings.Split(v, ",")
	if len(entries) > maxFetchAllow {
		return fmt.Errorf("has %d entries, more than %d", len(entries), maxFetchAllow)
	}
	for _, entry := range entries {
		entry = strings.TrimSpace(entry)
		network, isNetwork := netip.ParsePrefix(entry)
		single, isAddress := netip.ParseAddr(entry)
		host, port, isHost := net.SplitHostPort(entry)
		switch {
		case entry == "proxy":
			c.Fetch.Proxy = true
		case isNetwork == nil:
			c.Fetch.Allow = append(c.Fetch.Allow, network.Masked())
		case isAddress == nil:
			c.Fetch.Allow = append(c.Fetch.Allow, netip.PrefixFrom(single, single.BitLen()))
		case isHost == nil && host != "" && port != "":
			c.Fetch.Hosts = append(c.Fetch.Hosts, entry)
		default:
			return fmt.Errorf("has %q", entry)
		}
	}
	return nil
}

// plainURL reports whether u is an http(s) Address with nothing that could hold a secret.
func plainURL(u *url.URL) bool {
	return (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != "" &&
		u.User == nil && u.RawQuery == "" && u.Fragment == ""
}
