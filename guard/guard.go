// Package guard keeps requests to addresses that others have given us away from
// networks that they have no business in. Names are looked up by whoever dials, so
// that what is checked is the address that is dialled, after every redirect and
// however a name changes its answer.
package guard

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Guard makes HTTP clients that reach public addresses only, and what configuration
// allows besides. Its zero value is ready; its fields are set before its first use.
type Guard struct {
	Allow []netip.Prefix // addresses that may be reached although they are not public
	Hosts []string       // "host:port" as URLs have them, which may lead anywhere: the configuration itself names them

	// Proxy lets requests go through the proxy that the environment names. What is
	// dialled is then the proxy, and the checking is left to it.
	Proxy bool

	Resolver *net.Resolver // default that of the system

	dialled func(netip.AddrPort) // called with what is about to be connected to
}

// Refused is why an address is not dialled.
type Refused struct {
	Address netip.Addr
	Reason  string // "a loopback address"
}

func (r *Refused) Error() string {
	return fmt.Sprintf("%s is %s; only public addresses are fetched from, and those that EASEL_FETCH_ALLOW names", r.Address, r.Reason)
}

// Refusal marks the error as one that trying again does not change.
func (r *Refused) Refusal() {}

// Transport returns a transport that dials no address which the guard refuses. A
// connection that is kept was checked when it was dialled.
func (g *Guard) Transport() *http.Transport {
	var http1 http.Protocols
	http1.SetHTTP1(true)
	t := &http.Transport{
		DialContext:            g.dial,
		TLSHandshakeTimeout:    10 * time.Second,
		ResponseHeaderTimeout:  time.Minute,
		MaxIdleConnsPerHost:    10,
		IdleConnTimeout:        30 * time.Second,
		MaxResponseHeaderBytes: 64 << 10,
		Protocols:              &http1,
	}
	if g.Proxy {
		t.Proxy = http.ProxyFromEnvironment
		t.DialContext = (&net.Dialer{Timeout: dialTimeout, Resolver: g.Resolver}).DialContext
	}
	return t
}

const dialTimeout = 10 * time.Second

func (g *Guard) dial(ctx context.Context, network, address string) (net.Conn, error) {
	d := &net.Dialer{Timeout: dialTimeout, Resolver: g.Resolver}
	named := g.names(address)
	d.ControlContext = func(_ context.Context, network, resolved string, _ syscall.RawConn) error {
		if network != "tcp4" && network != "tcp6" {
			return fmt.Errorf("%s is not fetched over", network)
		}
		to, err := netip.ParseAddrPort(resolved)
		if err != nil {
			return fmt.Errorf("dial %q: %w", resolved, err)
		}
		if !named {
			if err := g.Check(to.Addr()); err != nil {
				return err
			}
		}
		if g.dialled != nil {
			g.dialled(to)
		}
		return nil
	}
	return d.DialContext(ctx, network, address)
}

func (g *Guard) names(address string) bool {
	return slices.ContainsFunc(g.Hosts, func(host string) bool { return strings.EqualFold(host, address) })
}

// Check returns a *Refused if the address may not be reached.
func (g *Guard) Check(a netip.Addr) error {
	reason := notPublic(a)
	if reason == "" {
		return nil
	}
	for _, p := range g.Allow {
		if p.Contains(a.WithZone("")) || p.Contains(a.Unmap().WithZone("")) {
			return nil
		}
	}
	return &Refused{Address: a, Reason: reason}
}

// special are the blocks of the IANA IPv4 and IPv6 Special-Purpose Address
// Registries (RFC 6890) that are not globally reachable, and what clouds answer
// their machines' questions at.
var special = []struct {
	prefix netip.Prefix
	reason string
}{
	{netip.MustParsePrefix("169.254.169.254/32"), "a cloud's metadata address"},
	{netip.MustParsePrefix("169.254.170.2/32"), "a cloud's metadata address"},
	{netip.MustParsePrefix("100.100.100.200/32"), "a cloud's metadata address"},
	{netip.MustParsePrefix("168.63.129.16/32"), "a cloud's metadata address"},
	{netip.MustParsePrefix("fd00:ec2::254/128"), "a cloud's metadata address"},
	{netip.MustParsePrefix("0.0.0.0/8"), "an address of this network"},
	{netip.MustParsePrefix("10.0.0.0/8"), "a private address"},
	{netip.MustParsePrefix("100.64.0.0/10"), "an address of a carrier's inner network"},
	{netip.MustParsePrefix("127.0.0.0/8"), "a loopback address"},
	{netip.MustParsePrefix("169.254.0.0/16"), "a link-local address"},
	{netip.MustParsePrefix("172.16.0.0/12"), "a private address"},
	{netip.MustParsePrefix("192.0.0.0/24"), "an address for protocols"},
	{netip.MustParsePrefix("192.0.2.0/24"), "an address for documentation"},
	{netip.MustParsePrefix("192.88.99.0/24"), "an address of a relay"},
	{netip.MustParsePrefix("192.168.0.0/16"), "a private address"},
	{netip.MustParsePrefix("198.18.0.0/15"), "an address for benchmarks"},
	{netip.MustParsePrefix("198.51.100.0/24"), "an address for documentation"},
	{netip.MustParsePrefix("203.0.113.0/24"), "an address for documentation"},
	{netip.MustParsePrefix("224.0.0.0/4"), "a multicast address"},
	{netip.MustParsePrefix("240.0.0.0/4"), "a reserved address"},
	{netip.MustParsePrefix("::1/128"), "a loopback address"},
	{netip.MustParsePrefix("::/128"), "the unspecified address"},
	{netip.MustParsePrefix("fe80::/10"), "a link-local address"},
	{netip.MustParsePrefix("fec0::/10"), "a site-local address"},
	{netip.MustParsePrefix("fc00::/7"), "a private address"},
	{netip.MustParsePrefix("ff00::/8"), "a multicast address"},
	{netip.MustParsePrefix("100::/64"), "an address that leads nowhere"},
	{netip.MustParsePrefix("2001:db8::/32"), "an address for documentation"},
	{netip.MustParsePrefix("3fff::/20"), "an address for documentation"},
	{netip.MustParsePrefix("2001::/23"), "an address for protocols"},
}

var (
	global = netip.MustParsePrefix("2000::/3")     // all of IPv6 that is given out as globally reachable
	nat64  = netip.MustParsePrefix("64:ff9b::/96") // RFC 6052: an IPv4 address in its last 32 bits
	sixTo4 = netip.MustParsePrefix("2002::/16")    // RFC 3056: an IPv4 address in bits 16 to 48
)

// notPublic says what kind of address it is, and nothing if it is a public one. An
// IPv4 address within an IPv6 one is what counts of it.
func notPublic(a netip.Addr) string {
	if !a.IsValid() {
		return "no address"
	}
	if a.Zone() != "" {
		return "an address of one link"
	}
	a = a.Unmap()
	for _, s := range special {
		if s.prefix.Contains(a) {
			return s.reason
		}
	}
	if a.Is4() {
		return ""
	}
	b := a.As16()
	switch {
	case nat64.Contains(a):
		return notPublic(netip.AddrFrom4([4]byte(b[12:16])))
	case sixTo4.Contains(a):
		return notPublic(netip.AddrFrom4([4]byte(b[2:6])))
	case !global.Contains(a):
		return "no globally reachable address"
	}
	return ""
}
