package check

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestStories(t *testing.T) {
	t.Run("A violated task's story has all books in the order of time", func(t *testing.T) {
		e := good(t)
		e.taskRow(4).ErrorMsg = ""
		stories := e.Judge().Stories
		if len(stories) != 1 || strings.Contains(stories[0].Timeline, "pause") || stories[0].Task != 4 || stories[0].Tag != "t-000004" {
			t.Fatalf("stories: %+v", stories)
		}
		rest := stories[0].Timeline
		for _, part := range []string{"client   acked", "row      created", "history  claim by w2 [fence=1 took=50ms outcome=worked]", "attempt  1 journalled", "ledger   cinema submit (sync) [billed=yes",
			"fault    kill [target=w2", "history  reclaim by r1", `attempt  1 is unknown [kind=outcome_unknown error="the worker was lost"]`, "client   seen", "in the end: failed", "kind=outcome_unknown cost=null]; delivery 4.1 is archived"} {
			_, after, found := strings.Cut(rest, part)
			if !found {
				t.Errorf("%q is not in its place in:\n%s", part, stories[0].Timeline)
				continue
			}
			rest = after
		}
	})
	t.Run("A fault outside of a task's life is not in its story", func(t *testing.T) {
		e := good(t)
		e.taskRow(12).ErrorMsg = ""
		if story := e.Judge().Stories[0].Timeline; strings.Contains(story, "fault") {
			t.Errorf("the story:\n%s", story)
		}
	})
	t.Run("An attempt that never ended is named at the end", func(t *testing.T) {
		e := good(t)
		a := e.try("k93")
		a.State, a.FinishedAt, e.taskRow(9).ErrorMsg = sending, When{}, ""
		if story := e.Judge().Stories[0].Timeline; !strings.Contains(story, "; attempt 3 is sending") || strings.Contains(story, "; attempt 2") {
			t.Errorf("the story:\n%s", story)
		}
	})
	t.Run("The story of a tag without a row is told", func(t *testing.T) {
		e := good(t)
		l := *e.submit("t-000001")
		l.Tag = "t-000011"
		e.again(l)
		stories := e.Judge().Stories
		if len(stories) != 1 || stories[0].Task != 0 || !strings.Contains(stories[0].Timeline, "no row") {
			t.Errorf("stories: %+v", stories)
		}
	})
	t.Run("Only so many stories are told, and the others counted", func(t *testing.T) {
		e := good(t)
		e.Limits.Stories = 2
		for i := range e.Tables.Tasks {
			e.Tables.Tasks[i].Crashes, e.Tables.Tasks[i].Attempt = 0, 9
		}
		report := e.Judge()
		if len(report.Stories) != 2 || report.Untold != 10 {
			t.Errorf("%d told, %d untold", len(report.Stories), report.Untold)
		}
	})
	t.Run("A long story leaves out its middle", func(t *testing.T) {
		e := good(t)
		for i := range 1000 {
			e.Clients = append(e.Clients, Told{At: When{e.Run.Began.Add(time.Minute)}, Event: "seen", Task: 4, Tag: "t-000004", Door: strconv.Itoa(i), Detail: failed})
		}
		e.taskRow(4).ErrorMsg = ""
		story := e.Judge().Stories[0].Timeline
		if n := strings.Count(story, "\n"); n != maxLines+2 || !strings.Contains(story, "events left out") {
			t.Errorf("%d lines:\n%s", n, story)
		}
	})
	t.Run("A report is JSON that says the same", func(t *testing.T) {
		e := good(t)
		e.taskRow(4).ErrorMsg = ""
		report := e.Judge()
		text, err := json.Marshal(report)
		var again Report
		if err == nil {
			err = json.Unmarshal(text, &again)
		}
		if diff := cmp.Diff(report, again); err != nil || diff != "" {
			t.Error(err, diff)
		}
	})
	t.Run("Judging changes nothing and says the same again", func(t *testing.T) {
		e := good(t)
		first := e.Judge()
		if diff := cmp.Diff(good(t).Ledger, e.Ledger); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff(first, e.Judge()); diff != "" {
			t.Error(diff)
		}
	})
}
