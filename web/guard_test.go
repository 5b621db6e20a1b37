package web

import (
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/easelqueue/easel/task"
)

// thisMachine are the names that only this machine answers to.
var thisMachine = []string{"127.0.0.1", "localhost", "[::1]"}

func TestHosts(t *testing.T) {
	ask := func(b *bench, host string) int {
		r := httptest.NewRequest("GET", "/", nil)
		r.Host = host
		return b.do(r).Code
	}
	t.Run("A site on loopback answers to names of this machine, with any port", func(t *testing.T) {
		b := newBench(t)
		b.site.Hosts = thisMachine
		for _, host := range []string{"127.0.0.1", "127.0.0.1:8080", "localhost", "LOCALHOST:1", "localhost.:80", "[::1]", "[::1]:8080", "[0:0::1]:8080"} {
			if got := ask(b, host); got != 200 {
				t.Errorf("%s: got %d", host, got)
			}
		}
	})
	t.Run("A site on loopback answers to no other name", func(t *testing.T) {
		b := newBench(t)
		b.site.Hosts = thisMachine
		for _, host := range []string{"", "evil.example", "evil.example:8080", "localhost.evil.example", "127.0.0.1.nip.io", "10.0.0.1:8080", "[::2]", "[::1].evil.example", "127.0.0.1:80:80"} {
			if got := ask(b, host); got != 421 {
				t.Errorf("%s: got %d", host, got)
			}
		}
	})
	t.Run("A wrong name is told what to do", func(t *testing.T) {
		b := newBench(t)
		b.site.Hosts = thisMachine
		b.refuses(b.do(httptest.NewRequest("GET", "/", nil)), 421, "EASEL_PUBLIC_URL")
	})
	t.Run("Names without brackets mean the same", func(t *testing.T) {
		b := newBench(t)
		b.site.Hosts = []string{"::1"}
		if got := ask(b, "[::1]:8080"); got != 200 {
			t.Errorf("got %d", got)
		}
	})
	t.Run("A site without a list answers to all", func(t *testing.T) {
		if got := ask(newBench(t), "pictures.example.com"); got != 200 {
			t.Errorf("got %d", got)
		}
	})
}

// changes are the requests that change something.
var changes = map[string]url.Values{
	"/tasks/1/retry":  {"delivery": {"0"}, "fence": {"1"}, "status": {"failed"}},
	"/tasks/2/cancel": {"delivery": {"0"}, "fence": {"0"}, "status": {"pending"}},
	"/failed/retry":   {"kind": {"auth"}, "confirmed": {"yes"}, "looked": {"1.0.1"}},
}

// twoTasks has task 1 failed and task 2 waiting.
func twoTasks(t *testing.T) *bench {
	b := newBench(t)
	b.fail(b.add(task.Task{}), task.Auth, "no key")
	b.add(task.Task{})
	return b
}

func (b *bench) unchanged() {
	b.Helper()
	if one, two := b.status(1), b.status(2); one != task.Failed || two != task.Pending {
		b.Errorf("the tasks are %s and %s", one, two)
	}
}

func TestGuard(t *testing.T) {
	t.Run("A change that another site's page asks for is refused", func(t *testing.T) {
		b := twoTasks(t)
		for path, form := range changes {
			for header, value := range map[string]string{"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"} {
				r := postOf(path, form)
				r.Header.Set(header, value)
				b.refuses(b.do(r), 403, "another site&#39;s page")
			}
		}
		b.unchanged()
	})
	t.Run("A change is refused on a site that is read-only", func(t *testing.T) {
		b := twoTasks(t)
		b.site.ReadOnly = true
		for path, form := range changes {
			b.refuses(b.post(path, form), 403, "This site is read-only")
		}
		b.unchanged()
	})
	t.Run("A site that is read-only shows no button", func(t *testing.T) {
		b := twoTasks(t)
		unknown := b.fail(b.add(task.Task{}), task.OutcomeUnknown, "cut").ID
		paths := []string{"/", "/failed", storyPath(1), storyPath(2), storyPath(unknown)}
		for _, path := range paths[1:] {
			b.has(b.get(path), "<button")
		}
		b.site.ReadOnly = true
		for _, path := range paths {
			b.hasNot(b.get(path), "<form", "<button")
		}
	})
	t.Run("A change is not made by a GET", func(t *testing.T) {
		b := twoTasks(t)
		for path, form := range changes {
			if w := b.do(httptest.NewRequest("GET", path+"?"+form.Encode(), nil)); w.Code != 404 {
				t.Errorf("%s: got %d", path, w.Code)
			}
		}
		b.unchanged()
	})
	t.Run("A query does not stand for a form", func(t *testing.T) {
		b := twoTasks(t)
		b.refuses(b.post("/tasks/1/retry?delivery=0", nil), 400, "delivery is")
		b.refuses(b.post("/failed/retry?kind=auth&confirmed=yes", nil), 400, "kind is missing")
		b.unchanged()
	})
	t.Run("A form that is too large is refused with the bound", func(t *testing.T) {
		b := twoTasks(t)
		form := url.Values{"delivery": {"0"}, "x": {strings.Repeat("x", maxForm)}}
		b.refuses(b.post("/tasks/1/retry", form), 413, "269096 bytes")
		b.unchanged()
	})
	t.Run("A form that is none is refused", func(t *testing.T) {
		b := twoTasks(t)
		r := postOf("/tasks/1/retry", nil)
		r.URL.RawQuery = "delivery=%zz"
		b.refuses(b.do(r), 400, "cannot be read")
	})
}
