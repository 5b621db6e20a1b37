package web

import (
	"fmt"
	"html"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/easelqueue/easel/internal/tables"
	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
)

var cardLink = regexp.MustCompile(`<a class="card (\w+)" href="/tasks/(\d+)">`)

// shown lists the cards of a gallery.
func shown(page string) []string {
	var ids []string
	for _, m := range cardLink.FindAllStringSubmatch(page, -1) {
		ids = append(ids, m[2]+" "+m[1])
	}
	return ids
}

var chipText = regexp.MustCompile(`(?s)<a class="chip ?(\w*)" href="([^"]*)"( aria-current="true")?><bdi>([^<]*)</bdi> <b>(\d+)</b>`)

// chipsOf lists the chips of a gallery: name, count, a star if it is on.
func chipsOf(page string) map[string]string {
	all := make(map[string]string)
	for _, m := range chipText.FindAllStringSubmatch(page, -1) {
		all[m[4]] = m[5] + map[bool]string{true: "*"}[m[3] != ""]
	}
	return all
}

// providerChips lists the chips that are no status.
func (b *bench) providerChips() map[string]string {
	all := chipsOf(b.get("/"))
	delete(all, "all")
	for _, st := range task.Statuses {
		delete(all, string(st))
	}
	return all
}

// five is one task of each status: 1 completed, 2 failed, 3 cancelled, 4 processing, 5 pending.
func five(t *testing.T) *bench {
	b := newBench(t)
	b.draw(b.add(task.Task{Request: task.Request{Provider: "openai", Prompt: "一只红狐狸"}}), func(_ *task.Attempt, r *task.Result) { r.ThumbnailKey = "1/small one?.jpg" })
	b.fail(b.add(task.Task{Request: task.Request{Provider: "openai"}}), task.Moderated, "the provider refused the prompt")
	gone := b.add(task.Task{})
	_, err := b.store.Cancel(t.Context(), task.Seen{Task: gone.ID})
	b.check(err)
	held, _ := b.begin(b.add(task.Task{}))
	b.check(tables.Err(b.store.Record(t.Context(), store.Progressed{Held: held.Token(), Percent: 40})))
	b.add(task.Task{})
	return b
}

func TestGallery(t *testing.T) {
	t.Run("An empty gallery says how to fill it", func(t *testing.T) {
		b := newBench(t)
		b.has(b.get("/"), "easel enqueue")
		b.has(b.get("/?status=failed"), "Show all tasks")
	})
	t.Run("The newest task comes first, each with its status", func(t *testing.T) {
		b := five(t)
		if d := cmp.Diff([]string{"5 pending", "4 processing", "3 cancelled", "2 failed", "1 completed"}, shown(b.get("/"))); d != "" {
			t.Error(d)
		}
	})
	t.Run("A task at work of which no progress is known has a bar without an end, and an app's own has none", func(t *testing.T) {
		b := newBench(t)
		b.begin(b.add(task.Task{}))
		b.has(b.get("/"), `<progress max="100">`)
		own := newBench(t)
		own.exec("INSERT INTO image_generations (provider, prompt, status, fence) VALUES ('openai', 'a boat', 'processing', -1)")
		if page := own.get("/"); strings.Contains(page, "<progress") || len(shown(page)) != 1 {
			t.Error(page)
		}
	})
	t.Run("A card shows what its task came to", func(t *testing.T) {
		b := five(t)
		b.has(b.get("/"), `<img src="/pictures/1/small%20one%3F.jpg?v=c0ffee"`, "一只红狐狸", "the provider refused the prompt",
			`<progress max="100" value="40">`, "cancelled by a person", "not in the queue yet")
	})
	t.Run("A picture without a thumbnail stands for itself", func(t *testing.T) {
		b := newBench(t)
		b.draw(b.add(task.Task{}), nil)
		b.has(b.get("/"), `<img src="/pictures/1/1-0.png?v=c0ffee"`)
	})
	t.Run("A picture that came too late is on no card", func(t *testing.T) {
		b := newBench(t)
		held, a := b.begin(b.add(task.Task{}))
		_, err := b.store.Cancel(t.Context(), task.Seen{Task: held.ID})
		b.check(err)
		b.late(a, task.Result{AttemptID: a.ID, GeneratedImageURL: "x", StorageKey: "1/late.png"})
		b.hasNot(b.get("/"), "late.png")
	})
	t.Run("Filters show what they say", func(t *testing.T) {
		b := five(t)
		for query, want := range map[string][]string{
			"status=failed": {"2 failed"}, "provider=openai": {"2 failed", "1 completed"}, "kind=moderated": {"2 failed"},
			"status=completed&provider=openai": {"1 completed"}, "status=completed&provider=sketch": nil, "before=3": {"2 failed", "1 completed"},
		} {
			if d := cmp.Diff(want, shown(b.get("/?"+query))); d != "" {
				t.Errorf("%s: %s", query, d)
			}
		}
	})
	t.Run("Each chip counts what it would show", func(t *testing.T) {
		b := five(t)
		for path, want := range map[string]map[string]string{
			"/": {"all": "5*", "pending": "1", "processing": "1", "completed": "1", "failed": "1", "cancelled": "1", "openai": "2", "sketch": "3"},
			"/?provider=openai": {"all": "2*", "pending": "0", "processing": "0", "completed": "1", "failed": "1", "cancelled": "0",
				"openai": "2*", "sketch": "3"},
			"/?status=failed": {"all": "5", "pending": "1", "processing": "1", "completed": "1", "failed": "1*", "cancelled": "1",
				"openai": "1", "sketch": "0", "Refused by moderation": "1"},
		} {
			if d := cmp.Diff(want, chipsOf(b.get(path))); d != "" {
				t.Errorf("%s: %s", path, d)
			}
		}
	})
	t.Run("A chip keeps the other filters and leaves the page", func(t *testing.T) {
		b := five(t)
		page := b.get("/?status=failed&provider=openai&before=4")
		b.has(page, `href="/?provider=openai&amp;status=completed"`, `href="/?status=failed" aria-current="true"><bdi>openai`)
	})
	t.Run("Pages follow each other without a gap", func(t *testing.T) {
		b := newBench(t)
		b.addMany(2*perPage + 1)
		path, seen := "/?status=pending", 0
		older := regexp.MustCompile(`href="([^"]*)" rel="next"`)
		for n := 0; path != ""; n++ {
			page := b.get(path)
			for _, c := range shown(page) {
				if want := fmt.Sprintf("%d pending", 2*perPage+1-seen); c != want {
					t.Fatalf("%s shows %q where %q belongs", path, c, want)
				}
				seen++
			}
			if (n > 0) != strings.Contains(page, `href="/?status=pending">← Newest`) {
				t.Errorf("%s: wrong way back", path)
			}
			path = ""
			if m := older.FindStringSubmatch(page); m != nil {
				path = strings.ReplaceAll(m[1], "&amp;", "&")
			}
		}
		if seen != 2*perPage+1 {
			t.Errorf("%d tasks were shown", seen)
		}
	})
	t.Run("The page is looked at again soon while anything is unfinished", func(t *testing.T) {
		b := newBench(t)
		b.draw(b.add(task.Task{}), nil)
		b.draw(b.add(task.Task{}), nil)
		b.has(b.get("/"), `data-refresh="15"`)
		b.hasNot(b.get("/?before=2"), "data-refresh")
		b.add(task.Task{})
		b.has(b.get("/"), `data-refresh="4"`, `<noscript><meta http-equiv="refresh" content="4"></noscript>`)
		b.hasNot(b.get("/?before=2"), "data-refresh")
		b.has(b.get("/?before=4"), `data-refresh="4"`)
	})
	t.Run("A filter that cannot be is refused with what can", func(t *testing.T) {
		b := newBench(t)
		for query, want := range map[string]string{
			"status=done": "accepted are [pending processing completed failed cancelled]", "kind=oops": "outcome_unknown",
			"before=-1": "before is", "before=x": "before is", "before=99999999999999999999": "before is",
			"provider=" + strings.Repeat("x", 256): "at most 255",
		} {
			b.refuses(b.do(httptest.NewRequest("GET", "/?"+query, nil)), 400, want)
		}
	})
	t.Run("A provider of any name can be picked", func(t *testing.T) {
		b := newBench(t)
		name := `a&b="c" d/<é>`
		b.add(task.Task{Request: task.Request{Provider: name}})
		b.add(task.Task{})
		if d := cmp.Diff([]string{"1 pending"}, shown(b.get("/?provider="+url.QueryEscape(name)))); d != "" {
			t.Error(d)
		}
		b.has(html.UnescapeString(b.get("/")), `href="/?provider=`+url.QueryEscape(name)+`"`)
	})
	t.Run("A provider whose name is too long is no chip", func(t *testing.T) {
		b := newBench(t)
		b.add(task.Task{})
		b.exec("UPDATE image_generations SET provider = ?", strings.Repeat("x", task.MaxText+1))
		b.add(task.Task{})
		b.add(task.Task{Request: task.Request{Provider: "openai"}})
		if d := cmp.Diff(map[string]string{"sketch": "1", "openai": "1"}, b.providerChips()); d != "" {
			t.Error(d)
		}
	})
	t.Run("A prompt of any length takes little of the page", func(t *testing.T) {
		b := newBench(t)
		prompt := strings.Repeat("狐", task.MaxPrompt)
		for range 3 {
			b.add(task.Task{Request: task.Request{Prompt: prompt}})
		}
		if n := len(b.get("/")); n > 10_000 {
			t.Errorf("the page has %d bytes", n)
		}
	})
}
