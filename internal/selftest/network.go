package selftest

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"strings"
	"sync"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"
	"github.com/rs/zerolog/log"
)

// network is the proxies between the processes and what they talk to.
type network struct {
	server *toxiproxy.ApiServer
	mu     sync.Mutex
	all    map[string]*toxiproxy.Proxy
}

// newNetwork also silences zerolog's global logger, into which toxics talk. Nobody
// else in this process uses it.
func newNetwork() *network {
	log.Logger = zerolog.Nop()
	return &network{server: toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop()), all: make(map[string]*toxiproxy.Proxy)}
}

// through returns the URL with a proxy in the place of its host. The proxy of that
// name is made if there is none. A database in a file has no way to it.
func (n *network) through(name, target string) (string, error) {
	if strings.HasPrefix(target, "sqlite:") {
		return target, nil
	}
	u, err := url.Parse(target)
	if err != nil {
		return "", err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	p := n.all[name]
	if p == nil {
		p = toxiproxy.NewProxy(n.server, name, "127.0.0.1:0", hostOf(u))
		if err := p.Start(); err != nil {
			return "", fmt.Errorf("proxy %s: %w", name, err)
		}
		n.all[name] = p
	}
	u.Host = p.Listen
	return u.String(), nil
}

func hostOf(u *url.URL) string {
	if u.Port() != "" {
		return u.Host
	}
	port := map[string]string{"redis": "6379", "postgres": "5432", "postgresql": "5432", "http": "80"}[u.Scheme]
	return net.JoinHostPort(u.Hostname(), port)
}

// spoil adds a toxic to a proxy, and returns what takes it away.
func (n *network) spoil(proxy, kind, stream, attributes string) (func(), error) {
	n.mu.Lock()
	p := n.all[proxy]
	n.mu.Unlock()
	if p == nil {
		return nil, fmt.Errorf("there is no proxy %s", proxy)
	}
	name := kind + "-" + stream
	text := fmt.Sprintf(`{"name":%q,"type":%q,"stream":%q,"attributes":%s}`, name, kind, stream, attributes)
	if _, err := p.Toxics.AddToxicJson(strings.NewReader(text)); err != nil {
		return nil, fmt.Errorf("proxy %s: %s: %w", proxy, kind, err)
	}
	return func() { _ = p.Toxics.RemoveToxic(context.Background(), name) }, nil // fails only if it is gone
}

// cut breaks every connection of a proxy and takes new ones at once.
func (n *network) cut(proxy string) error {
	n.mu.Lock()
	p := n.all[proxy]
	n.mu.Unlock()
	if p == nil {
		return fmt.Errorf("there is no proxy %s", proxy)
	}
	p.Stop()
	return p.Start()
}

// calm takes every toxic away.
func (n *network) calm() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, p := range n.all {
		p.Toxics.ResetToxics(context.Background())
	}
}

func (n *network) close() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, p := range n.all {
		p.Stop()
	}
}
