package doctor

import (
	"errors"
	"io/fs"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/easelqueue/easel/internal/config"
	"github.com/easelqueue/easel/task"
	"github.com/easelqueue/easel/waiting"
)

func TestWaits(t *testing.T) {
	noon := time.Date(2026, 1, 10, 12, 0, 0, 0, time.UTC)
	cfg := config.Config{Providers: []config.Provider{{Name: "openai", Accounts: []config.Account{{Name: "main", KeyVariable: "OPENAI_API_KEY"}}}}}
	for _, c := range []struct {
		claim string
		world waiting.World
		check string
		want  Severity
		says  []string
	}{
		{"A refused key fails, and names the variable",
			waiting.World{Accounts: map[string][]waiting.Account{"openai": {{Name: "openai/main", Until: noon.Add(time.Second), Why: "401: bad key"}}}},
			"account openai/main", Fail, []string{"401: bad key", "Mend what it names", "OPENAI_API_KEY"}},
		{"What can be done about it is said",
			waiting.World{Accounts: map[string][]waiting.Account{"openai": {{Name: "openai/main", Until: noon.Add(time.Second), Why: "402: empty", Advice: task.TopUp, About: "OpenAI"}}}},
			"account openai/main", Fail, []string{"402: empty", "Top up the account at OpenAI, or raise its limit; the account is tried again by itself"}},
		{"What ends by itself does not", waiting.World{Accounts: map[string][]waiting.Account{"openai": {{Name: "openai/main", Until: noon.Add(time.Second), Eases: true, Why: "10 failures in a row, the last: 500"}}}},
			"account openai/main", Warn, []string{"the last: 500", "status page"}},
		{"Tasks that no worker serves fail, and the last one that did is named",
			waiting.World{Workers: []waiting.Worker{{Providers: []string{"fal"}}}, Gone: []waiting.Worker{{Providers: []string{"openai"}, SeenAt: noon.Add(-time.Hour)}}, Oldest: []waiting.Backlog{{Provider: "openai", Tasks: 3, Since: noon}}},
			"waiting", Fail, []string{"3 due at openai", "no worker that runs serves it", "the last one was seen at 2026-01-10 11:00 UTC"}},
		{"Tasks that wait a minute without any worker fail", waiting.World{Gone: []waiting.Worker{{SeenAt: noon.Add(-time.Hour)}}, Oldest: []waiting.Backlog{{Provider: "openai", Tasks: 3, Since: noon.Add(-2 * time.Minute)}}},
			"waiting", Fail, []string{"no worker is running", "the last one was seen at 2026-01-10 11:00 UTC"}},
		{"For a moment they may", waiting.World{Oldest: []waiting.Backlog{{Provider: "openai", Tasks: 3, Since: noon.Add(-time.Second)}}}, "waiting", OK, nil},
	} {
		t.Run(c.claim, func(t *testing.T) {
			c.world.At = noon
			for _, f := range waitFindings(cfg, &c.world) {
				if f.Check != c.check {
					continue
				}
				if f.Result != c.want {
					t.Errorf("%+v", f)
				}
				for _, text := range c.says {
					if !strings.Contains(f.Detail+f.Do, text) {
						t.Errorf("%+v does not say %q", f, text)
					}
				}
				return
			}
			t.Error("it finds nothing")
		})
	}
}

func TestAFolderThatIsMountedReadOnlyWantsNoRights(t *testing.T) {
	for err, want := range map[error]string{syscall.EROFS: "Mount it", syscall.ENOSPC: "Make room", fs.ErrPermission: "the right", syscall.ENOTDIR: "the right"} {
		if got := mendFolder(errors.Join(err)); !strings.Contains(got, want) {
			t.Errorf("%v: %s", err, got)
		}
	}
}
