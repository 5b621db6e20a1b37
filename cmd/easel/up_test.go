package main

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/easelqueue/easel/internal/config"
	"github.com/easelqueue/easel/internal/servertest"
)

func TestAccess(t *testing.T) {
	here := []string{"127.0.0.1", "localhost", "[::1]"}
	for claim, c := range map[string]struct {
		listens, public string
		pages           string
		writable        bool
		hosts           []string
	}{
		"Pages of this machine alone take changes":               {"127.0.0.1:8080", "", "", true, slices.Concat([]string{"127.0.0.1"}, here)},
		"So do those on IPv6":                                    {"[::1]:8080", "", "", true, slices.Concat([]string{"[::1]"}, here)},
		"Behind a proxy with a public name they only show":       {"127.0.0.1:8080", "https://Art.test", "", false, slices.Concat([]string{"Art.test"}, here)},
		"On all addresses they only show":                        {"0.0.0.0:8080", "", "", false, slices.Concat([]string{"localhost"}, here)},
		"On another address they only show and need its name":    {"192.0.2.1:8080", "", "", false, []string{"192.0.2.1"}},
		"A public name on all addresses is the only one":         {"0.0.0.0:80", "http://art.test/easel", "", false, []string{"art.test"}},
		"They can be told to take changes":                       {"0.0.0.0:8080", "http://localhost:8080", "write", true, slices.Concat([]string{"localhost"}, here)},
		"They can be told to take none":                          {"127.0.0.1:8080", "", "read", false, slices.Concat([]string{"127.0.0.1"}, here)},
		"A name that only begins like this machine's is another": {"127.0.0.1:8080", "http://localhost.test", "", false, slices.Concat([]string{"localhost.test"}, here)},
	} {
		t.Run(claim, func(t *testing.T) {
			t.Chdir(t.TempDir())
			cfg, err := config.Load([]string{"EASEL_LISTEN=" + c.listens, "EASEL_PUBLIC_URL=" + c.public, "EASEL_PAGES=" + c.pages}, kinds)
			if err != nil {
				t.Fatal(err)
			}
			writable, hosts := cfg.Access(net.TCPAddrFromAddrPort(netip.MustParseAddrPort(c.listens)))
			if writable != c.writable {
				t.Errorf("writable: %t", writable)
			}
			if diff := cmp.Diff(c.hosts, hosts); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestPing(t *testing.T) {
	var asked string
	status := http.StatusOK
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = r.Host + r.URL.Path
		w.WriteHeader(status)
	}))
	defer server.Close()
	_, port, _ := net.SplitHostPort(server.Listener.Addr().String())
	d := newShell(t)
	d.env = []string{"EASEL_LISTEN=0.0.0.0:" + port, "EASEL_PUBLIC_URL=https://art.test", "HTTP_PROXY=http://127.0.0.1:1"}
	t.Run("Pages on all addresses are asked here, under their public name", func(t *testing.T) {
		d.easel("ping").wants(t, 0, "http://127.0.0.1:"+port+"/healthz answers")
		if asked != "art.test/healthz" {
			t.Errorf("asked for %q", asked)
		}
	})
	t.Run("Another answer than ok is a failure", func(t *testing.T) {
		status = http.StatusServiceUnavailable
		d.easel("ping").wants(t, 1, "answers 503")
	})
	t.Run("Nobody there is a failure", func(t *testing.T) {
		server.Close()
		d.easel("ping").wants(t, 1, "nobody serves at EASEL_LISTEN=0.0.0.0:"+port)
	})
}

func TestPagesOfARunningProgram(t *testing.T) {
	t.Parallel()
	s := newEmbeddedSite(t, "")
	listen := servertest.FreeAddress(t)
	s.env = append(s.env, "EASEL_LISTEN="+listen, "EASEL_PUBLIC_URL=http://art.test")
	p := s.start("up")
	post := func(host string) (int, string) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+listen+"/tasks/1/cancel", strings.NewReader(""))
		if err != nil {
			t.Fatal(err)
		}
		req.Host = host
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(body)
	}
	p.serves(t)
	s.easel(0, "ping")
	t.Run("A site with a public name is read-only", func(t *testing.T) {
		if code, body := post("art.test"); code != http.StatusForbidden || !strings.Contains(body, "read-only") {
			t.Errorf("%d: %s", code, body)
		}
	})
	t.Run("A name that is not the site's is refused", func(t *testing.T) {
		if code, _ := post("evil.test"); code != http.StatusMisdirectedRequest {
			t.Errorf("status %d", code)
		}
	})
}
