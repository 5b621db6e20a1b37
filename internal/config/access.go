package config

import (
	"net"
	"net/url"
	"slices"
	"strings"
)

// Access says whether pages that listen at an address take changes, and by which
// names they may be called. A listener on loopback is not enough to take
// changes by itself: a proxy before it may let the world in, under its public name.
func (c *Config) Access(at net.Addr) (writable bool, hosts []string) {
	tcp, ok := at.(*net.TCPAddr)
	listens := ok && tcp.IP.IsLoopback()
	public := c.PublicHost()
	named := isLoopback(public)
	hosts = []string{public}
	if listens || named {
		hosts = slices.Concat(hosts, loopbackHosts())
	}
	return c.Pages == Write || c.Pages == Auto && listens && named, hosts
}

// PublicHost is the name by which people call the pages, without its port; an
// IPv6 Address is in brackets.
func (c *Config) PublicHost() string {
	u, err := url.Parse(c.PublicURL)
	if err != nil {
		return ""
	}
	if name := u.Hostname(); !strings.Contains(name, ":") {
		return name
	}
	return "[" + u.Hostname() + "]"
}

// loopbackHosts are the names that only this machine answers to.
func loopbackHosts() []string { return []string{"127.0.0.1", "localhost", "[::1]"} }

func isLoopback(host string) bool {
	return strings.EqualFold(host, "localhost") || net.ParseIP(strings.Trim(host, "[]")).IsLoopback()
}

// PageURL is where a page can be reached from this machine.
func (c *Config) PageURL(path string) string {
	host, port, _ := net.SplitHostPort(c.Listen) // checked with the rest
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, port) + path
}
