package web

import (
	"maps"
	"net/http/httptest"
	"regexp"
	"slices"
	"testing"

	"github.com/easelqueue/easel/enqueue"
	"github.com/easelqueue/easel/internal/human"
	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
)

var said = regexp.MustCompile(`say "((?:[^"\\\\]|\\\\.)*)"`)

func TestChinesePages(t *testing.T) {
	chineseOf := say(human.Chinese)
	t.Run("Every text of the templates is told in Chinese", func(t *testing.T) {
		files, err := templateFiles.ReadDir("templates")
		if err != nil {
			t.Fatal(err)
		}
		seen := 0
		for _, f := range files {
			text, err := templateFiles.ReadFile("templates/" + f.Name())
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range said.FindAllStringSubmatch(string(text), -1) {
				if seen++; chineseOf(m[1]) == m[1] {
					t.Errorf("%s: %q is not", f.Name(), m[1])
				}
			}
		}
		if seen < 50 {
			t.Errorf("there are %d texts", seen)
		}
	})
	t.Run("So is what is said once a call was paid for", func(t *testing.T) {
		for _, text := range slices.Concat([]string{retryCollects, takesPart, collectedByItself, keptByItself}, slices.Collect(maps.Values(retryBegins))) {
			if chineseOf(text) == text {
				t.Errorf("%q is not", text)
			}
		}
	})
	t.Run("So are the priorities", func(t *testing.T) {
		for _, p := range []task.Priority{-1, 0, 1} {
			if chineseOf(p.String()) == p.String() {
				t.Errorf("%q is not", p)
			}
		}
	})
	t.Run("So is who has to act on a failure, and how", func(t *testing.T) {
		for _, k := range append([]task.Kind{""}, task.Kinds...) {
			a := wordsFor(k)
			for _, text := range []string{a.Title, a.Who, a.What} {
				if chineseOf(text) == text {
					t.Errorf("%s: %q is not", k, text)
				}
			}
		}
	})
	t.Run("The page of failed tasks, a failed one and a refusal speak Chinese to those who read it", func(t *testing.T) {
		b := fullDesk(t)
		in := func(path string) string {
			r := httptest.NewRequest("GET", path, nil)
			r.Header.Set("Accept-Language", "zh-CN")
			return b.do(r).Body.String()
		}
		b.with(t).has(in("/failed"), `<html lang="zh"`, "4 个任务失败，等待处理", "密钥被拒绝", "需要谁处理：", "全部重试 3……", "刚刚")
		b.with(t).hasNot(in("/failed"), "Who has to act", "Key refused", "parked")
		b.with(t).has(in("/tasks/1"), "密钥被拒绝", "请在配置里换上有效的密钥", "no key at openai")
		b.with(t).has(in("/tasks/1"), "<dd>未知</dd>", "<dd>普通</dd>", " 次中 ", "任务 1 ·")
		b.with(t).hasNot(in("/tasks/1"), " so far", "<dd>unknown</dd>")
		b.with(t).has(in("/tasks/1"), "<bdi>服务商</bdi>", "<bdi>数量</bdi>", "<bdi>失败次数</bdi>", "<dt>发布</dt>", "<dt>结束</dt>")
		b.with(t).has(in("/"), "<bdi>全部</bdi>")
		b.with(t).has(in("/tasks/abc"), "“abc”不是任务编号：任务编号应为从 1 开始的整数。")
		b.with(t).has(in("/nowhere"), "这个地址没有页面。")
		gone := newBench(t)
		gone.site.Tasks = away{gone.site.Tasks}
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Accept-Language", "zh-CN")
		b.with(t).has(gone.do(r).Body.String(), "请启动数据库")
		b.with(t).has(b.get("/failed"), `<html lang="en"`, "4 tasks failed and wait")
	})
	t.Run("So is why a word of theirs is refused", func(t *testing.T) {
		for _, err := range []error{
			&store.NotAllowed{Task: 7, Status: task.Completed, Action: "retried"}, &store.NotAllowed{Task: 7, Status: task.Pending, Was: task.Failed, Moved: true},
			&store.NotAllowed{Task: 7, Status: task.Failed, Was: task.Failed, Moved: true}, &store.NotAllowed{Task: 7, Status: task.Failed, Was: task.Failed, Moved: true, Again: true},
			&store.NotAllowed{Task: 7, Status: task.Failed, Was: task.Failed, Moved: true, Kind: task.Charged}, &store.NothingPaid{Task: 7}, &store.NothingUnknown{Task: 7},
			&store.HeardSince{Task: 7}, &store.Locked{}, &store.Locked{Table: "image_generations", Holder: "7"}, &store.Locked{Unnamed: true}, &store.Locked{File: true}, &store.Unsure{},
			othersLocked(&store.Locked{}, 1, 2), othersLocked(&store.Locked{Table: "image_generations"}, 1, 2), othersLocked(&store.Locked{Unnamed: true}, 1, 2),
			&store.BuysAgain{Task: 7, Attempt: 2}, &enqueue.UnknownOutcome{Task: 7, Provider: "openai"},
		} {
			r, _ := refusalFor(err)
			for _, text := range []string{r.Title, r.Text} {
				if chineseOf(text) == text {
					t.Errorf("%v: %q is not", err, text)
				}
			}
		}
	})
	t.Run("What has a number in its midst is told as well, and what a service says is not", func(t *testing.T) {
		for text, want := range map[string]string{
			"done in 57.2s": "用时 57.2 秒", "done in 1m30s": "用时 1 分钟 30 秒", "850ms": "850 毫秒", "12s so far": "已 12 秒", "waits, due in 5m": "等待，5 分钟后到期",
			"being drawn, 40%": "正在绘制，40%", "0 of 5": "5 次中 0 次", "There is no task 7.": "没有任务 7。", "done in a flash, says the service": "done in a flash, says the service",
		} {
			if got := chineseOf(text); got != want {
				t.Errorf("%s: %s", text, got)
			}
		}
	})
}
