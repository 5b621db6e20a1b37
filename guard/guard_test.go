package guard

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/easelqueue/easel/internal/servertest"
)

func TestMain(m *testing.M) { servertest.NothingStays(m) }

// watched is a guard that notes what it lets through, with names that a table answers.
type watched struct {
	*Guard
	client *http.Client

	mu     sync.Mutex
	passed []netip.AddrPort
}

func watch(t *testing.T, g *Guard, names func(name string) string) *watched {
	t.Helper()
	w := &watched{Guard: g}
	g.dialled = func(to netip.AddrPort) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.passed = append(w.passed, to)
	}
	g.Resolver = &net.Resolver{PreferGo: true, Dial: nameServer(t, names)}
	transport := g.Transport()
	t.Cleanup(transport.CloseIdleConnections)
	w.client = &http.Client{Transport: transport}
	return w
}

// nameServer answers every question for an IPv4 address by names, and knows no other
// addresses.
func nameServer(t *testing.T, names func(name string) string) func(context.Context, string, string) (net.Conn, error) {
	t.Helper()
	server, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		question := make([]byte, 512)
		for {
			n, from, err := server.ReadFrom(question)
			if err != nil {
				return
			}
			server.WriteTo(reply(question[:n], names), from)
		}
	}()
	t.Cleanup(func() { server.Close(); <-done })
	return func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", server.LocalAddr().String())
	}
}

// reply makes the answer to one DNS question (RFC 1035, section 4).
func reply(question []byte, names func(name string) string) []byte {
	var labels []string
	at := 12
	for question[at] != 0 {
		n := int(question[at])
		labels = append(labels, string(question[at+1:at+1+n]))
		at += n + 1
	}
	kind := binary.BigEndian.Uint16(question[at+1:])
	end := at + 5
	out := append([]byte{question[0], question[1], 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0}, question[12:end]...)
	if a, err := netip.ParseAddr(names(strings.Join(labels, "."))); err == nil && kind == 1 && a.Is4() {
		out[7] = 1
		four := a.As4()
		out = append(out, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4)
		out = append(out, four[:]...)
	}
	return out
}

// refused are hosts that must not be reached, and what is said of them.
func refused() map[string]string {
	all := map[string]string{
		"localhost": "a loopback address", "LOCALHOST": "a loopback address", "localhost.": "",
		"private.test": "a private address", "loop.test": "a loopback address", "meta.test": "a cloud's metadata address",
		// Spellings that Go takes for names, and no resolver may turn into a way in.
		"127.1": "", "0x7f.0.0.1": "", "0x7f000001": "", "2130706433": "", "0177.0.0.1": "", "127.0.0.01": "", "017700000001": "", "127.0.0.1.": "",
		"①②⑦.0.0.1": "", "127。0。0。1": "", "1２7.0.0.1": "", "[::ffff:7f00:1%25eth0]": "",
	}
	for prefix, reason := range map[string]string{
		"127": "a loopback address", "10": "a private address", "0": "an address of this network"} {
		for _, rest := range []string{"0.0.0", "0.0.1", "255.255.255", "1.2.3", "0.1.0", "127.0.1"} {
			all[prefix+"."+rest] = reason
		}
	}
	for block, reason := range map[string]string{"192.168": "a private address", "169.254": "a link-local address", "172.16": "a private address", "172.31": "a private address",
		"100.64": "carrier", "100.127": "carrier", "198.18": "benchmarks", "198.19": "benchmarks", "224.0": "multicast", "239.255": "multicast", "240.0": "reserved", "255.255": "reserved"} {
		for _, rest := range []string{"0.0", "0.1", "255.255", "12.34", "1.1", "200.7"} {
			all[block+"."+rest] = reason
		}
	}
	for block, reason := range map[string]string{"192.0.0": "protocols", "192.0.2": "documentation", "198.51.100": "documentation", "203.0.113": "documentation", "192.88.99": "relay"} {
		for _, rest := range []string{"0", "1", "170", "255"} {
			all[block+"."+rest] = reason
		}
	}
	for host, reason := range map[string]string{
		"169.254.169.254": "metadata", "169.254.170.2": "metadata", "100.100.100.200": "metadata", "168.63.129.16": "metadata", "[fd00:ec2::254]": "metadata",
		"[::]": "", "[::1]": "loopback", "[0:0:0:0:0:0:0:1]": "loopback", "[::ffff:127.0.0.1]": "loopback", "[::ffff:7f00:1]": "loopback", "[::ffff:10.0.0.1]": "private",
		"[::ffff:169.254.169.254]": "metadata", "[::ffff:192.168.1.1]": "private", "[::ffff:0.0.0.0]": "this network",
		"[::127.0.0.1]": "no globally", "[::10.0.0.1]": "no globally", "[::2]": "no globally",
		"[64:ff9b::127.0.0.1]": "loopback", "[64:ff9b::a00:1]": "private", "[64:ff9b::a9fe:a9fe]": "metadata", "[64:ff9b:1::1]": "no globally",
		"[2002:7f00:1::]": "loopback", "[2002:a00:1::1]": "private", "[2002:c0a8:101::]": "private", "[2002:a9fe:a9fe::]": "metadata",
		"[2001::1]": "protocols", "[2001:0:7f00:1::]": "protocols", "[2001:10::1]": "protocols", "[2001:20::1]": "protocols", "[2001:db8::1]": "documentation", "[3fff::1]": "documentation",
		"[fe80::1]": "link-local", "[fe80::1%25eth0]": "", "[febf::1]": "link-local", "[fec0::1]": "site-local", "[fc00::1]": "private", "[fd12:3456::1]": "private", "[fdff::1]": "private",
		"[ff02::1]": "multicast", "[ff0e::1]": "multicast", "[100::1]": "nowhere", "[4000::1]": "no globally", "[8000::1]": "no globally", "[1::1]": "no globally", "[5f00::1]": "no globally",
	} {
		all[host] = reason
	}
	return all
}

func TestNothingInsideIsReached(t *testing.T) {
	names := map[string]string{"private.test": "10.1.2.3", "loop.test": "127.0.0.1", "meta.test": "169.254.169.254"}
	w := watch(t, &Guard{}, func(name string) string { return names[strings.ToLower(name)] })
	tried := 0
	for host, reason := range refused() {
		for _, scheme := range []string{"http", "https"} {
			tried++
			address := scheme + "://" + host + "/picture.png"
			resp, err := w.client.Get(address)
			if err == nil {
				resp.Body.Close()
				t.Errorf("%s answered", address)
				continue
			}
			var r *Refused
			if reason != "" && (!errors.As(err, &r) || !strings.Contains(r.Error(), reason) || !strings.Contains(r.Error(), "EASEL_FETCH_ALLOW")) {
				t.Errorf("%s: %v; want it to be refused as %s", address, err, reason)
			}
		}
	}
	for _, address := range []string{"file:///etc/passwd", "ftp://203.0.113.1/x", "gopher://127.0.0.1:70/_", "data:image/png;base64,AAAA", "javascript:alert(1)", "unix:///run/docker.sock",
		"http://", "http://:80/", "http://[::1", "http://127.0.0.1:99999/", "http://%31%32%37.0.0.1/", "//127.0.0.1/"} {
		tried++
		if resp, err := w.client.Get(address); err == nil {
			resp.Body.Close()
			t.Errorf("%s answered", address)
		}
	}
	if tried < 250 {
		t.Errorf("only %d addresses were tried", tried)
	}
	if len(w.passed) > 0 {
		t.Errorf("of %d addresses these were let through: %v", tried, w.passed)
	}
}

func TestPublicAddressesAreLetThrough(t *testing.T) {
	g := &Guard{}
	for _, a := range []string{"1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "126.255.255.255", "128.0.0.0", "100.63.255.255", "100.128.0.0", "169.253.255.255", "169.255.0.0",
		"172.15.255.255", "172.32.0.0", "192.167.255.255", "192.169.0.0", "198.17.255.255", "198.20.0.0", "223.255.255.255", "2606:4700::1111", "2a00:1450::1", "::ffff:8.8.8.8",
		"64:ff9b::808:808", "2002:808:808::1", "2001:200::1"} {
		if err := g.Check(netip.MustParseAddr(a)); err != nil {
			t.Errorf("%s: %v", a, err)
		}
	}
}

func TestANameThatChangesItsAnswer(t *testing.T) {
	var asked atomic.Int64
	w := watch(t, &Guard{}, func(string) string {
		if asked.Add(1) <= 2 { // of the two questions of a look-up one is for IPv4
			return "8.8.8.8"
		}
		return "127.0.0.1"
	})
	addresses, err := w.Resolver.LookupHost(t.Context(), "rebind.test") // what a check before the request would see
	if err != nil || len(addresses) != 1 || addresses[0] != "8.8.8.8" {
		t.Fatalf("%v, %v", addresses, err)
	}
	_, err = w.client.Get("http://rebind.test/")
	var r *Refused
	if !errors.As(err, &r) || r.Address != netip.MustParseAddr("127.0.0.1") || len(w.passed) > 0 {
		t.Errorf("%v; let through: %v", err, w.passed)
	}
}

func TestARedirectIsCheckedToo(t *testing.T) {
	inside := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("it was reached") }))
	defer inside.Close()
	for _, to := range []string{inside.URL, strings.Replace(inside.URL, "127.0.0.1", "localhost", 1), "http://10.0.0.1/", "http://169.254.169.254/latest/meta-data/"} {
		outside := httptest.NewServer(http.RedirectHandler(to, http.StatusFound))
		g := &Guard{Hosts: []string{outside.Listener.Addr().String()}}
		client := &http.Client{Transport: g.Transport()}
		_, err := client.Get(outside.URL)
		var r *Refused
		if !errors.As(err, &r) {
			t.Errorf("%s: %v", to, err)
		}
		client.CloseIdleConnections()
		outside.Close()
	}
}

func TestWhatIsAllowed(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "inside") }))
	defer s.Close()
	at := s.Listener.Addr().String()
	_, port, _ := net.SplitHostPort(at)
	for claim, c := range map[string]struct {
		guard   Guard
		url     string
		allowed bool
	}{
		"Nothing is allowed by itself":                {Guard{}, s.URL, false},
		"A network is":                                {Guard{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}, s.URL, true},
		"Another network is not":                      {Guard{Allow: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}, s.URL, false},
		"A network is, in another form of address":    {Guard{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}, "http://[::ffff:127.0.0.1]:" + port, true},
		"A host and port that is configured is":       {Guard{Hosts: []string{at}}, s.URL, true},
		"Another port of the same host is not":        {Guard{Hosts: []string{"127.0.0.1:1"}}, s.URL, false},
		"Another name of the same host is not":        {Guard{Hosts: []string{at}}, "http://localhost:" + port, false},
		"A name is, whatever the case of its letters": {Guard{Hosts: []string{"LocalHost:" + port}}, "http://localhost:" + port, true},
	} {
		t.Run(claim, func(t *testing.T) {
			client := &http.Client{Transport: c.guard.Transport()}
			defer client.CloseIdleConnections()
			resp, err := client.Get(c.url)
			if err == nil {
				resp.Body.Close()
			}
			if (err == nil) != c.allowed {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestNoProxyUnlessAskedFor(t *testing.T) {
	if (&Guard{}).Transport().Proxy != nil || (&Guard{Proxy: true}).Transport().Proxy == nil {
		t.Error("the proxy of the environment is used, or is not where it was asked for")
	}
}

func FuzzCheck(f *testing.F) {
	for host := range refused() {
		f.Add([]byte(host), "")
	}
	f.Add([]byte{10, 0, 0, 1}, "")
	f.Add(netip.MustParseAddr("fe80::1").AsSlice(), "eth0")
	f.Fuzz(func(t *testing.T, raw []byte, zone string) {
		a, ok := netip.AddrFromSlice(raw)
		if !ok {
			a, _ = netip.ParseAddr(string(raw))
		}
		if a.Is6() {
			a = a.WithZone(zone)
		}
		err := (&Guard{}).Check(a)
		inside := !a.IsValid() || a.Unmap().IsPrivate() || a.Unmap().IsLoopback() || a.Unmap().IsLinkLocalUnicast() || a.Unmap().IsMulticast() || a.Unmap().IsUnspecified() || a.Zone() != ""
		if inside && err == nil {
			t.Errorf("%s is let through", a)
		}
	})
}
