package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/easelqueue/easel/task"
)

func TestList(t *testing.T) {
	d := newShell(t)
	for i := range 5 {
		d.enqueue(fmt.Sprint("prompt ", i))
	}
	fail(t, d.open(), 2, &task.Failure{Kind: task.Auth, Executed: task.NotExecuted, Message: "bad key"})
	for claim, c := range map[string]struct {
		args []string
		ids  string
		next int64
	}{
		"The newest come first":             {nil, "[5 4 3 2 1]", 0},
		"A page says where the next begins": {[]string{"--limit", "2"}, "[5 4]", 4},
		"The next page goes on":             {[]string{"--limit", "2", "--before", "4"}, "[3 2]", 2},
		"The last page says that it is":     {[]string{"--limit", "5"}, "[5 4 3 2 1]", 0},
		"A status picks":                    {[]string{"--status", "failed,cancelled"}, "[2]", 0},
		"A kind picks":                      {[]string{"--kind", "auth"}, "[2]", 0},
		"A provider picks":                  {[]string{"--provider", "openai"}, "[]", 0},
		"A time picks":                      {[]string{"--since", "1h", "--status", "pending"}, "[5 4 3 1]", 0},
	} {
		t.Run(claim, func(t *testing.T) {
			var p page
			d.must(&p, append([]string{"list"}, c.args...)...)
			ids := []int64{}
			for _, row := range p.Tasks {
				ids = append(ids, row.ID)
			}
			if fmt.Sprint(ids) != c.ids || p.NextBefore != c.next {
				t.Errorf("got %v, next %d", ids, p.NextBefore)
			}
		})
	}
}

func TestTablesAlign(t *testing.T) {
	d := newShell(t)
	d.enqueue("一只红狐狸")
	d.enqueue("a red fox")
	s := d.open()
	fail(t, s, 1, &task.Failure{Kind: task.Auth, Executed: task.NotExecuted, Message: "bad key"})
	fail(t, s, 2, &task.Failure{Kind: task.Auth, Executed: task.NotExecuted, Message: "bad key"})
	lines := strings.Split(d.must(nil, "list").out, "\n")
	// A Chinese character takes two columns but three bytes, so what stands in the
	// same column after five of them is five bytes further.
	ascii, han := strings.Index(lines[1], "bad key"), strings.Index(lines[2], "bad key")
	if ascii < 0 || han-ascii != len("一只红狐狸")-2*5 {
		t.Errorf("the columns do not align:\n%s", strings.Join(lines, "\n"))
	}
}

func TestShow(t *testing.T) {
	d := newShell(t)
	d.enqueue("a \x1b[31mred\x1b[0m fox\x07\u202e", "--size", "64x64", "--param", "delay=1s")
	s := d.open()
	complete(t, s, 1)
	got := d.must(nil, "show", "1")
	got.wants(t, 0, "Task 1  completed", "a red fox\n", "64x64", "0.005 USD", "succeeded", "http://x.test/1.png", time.Now().Format(" MST (")) // times name their zone
	if strings.ContainsAny(got.out, "\x1b\x07\u202e") {
		t.Errorf("control characters are printed: %q", got.out)
	}
	d.easel("show", "99").wants(t, 1, "task 99: no such task; see `easel list`")
}
