package web

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/easelqueue/easel/internal/human"
	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
	"github.com/easelqueue/easel/waiting"
)

const refreshOperations = 5

// waits knows why tasks wait.
type waits interface {
	Reasons(ctx context.Context, tasks []task.Task) (map[int64]*waiting.Reason, error)
	Operations(ctx context.Context) (*waiting.World, error)
}

// language is the reader's, of those that reasons are told in.
func language(r *http.Request) human.Language {
	for part := range strings.SplitSeq(r.Header.Get("Accept-Language"), ",") {
		tag, _, _ := strings.Cut(strings.ToLower(part), ";") // its weight
		tag, _, _ = strings.Cut(strings.TrimSpace(tag), "-") // its region
		switch tag {
		case "zh":
			return human.Chinese
		case "en":
			return human.English
		}
	}
	return human.English
}

// why is the reason as the page tells it.
type why struct {
	*waiting.Reason
	language human.Language
}

// Text is what the task waits for.
func (w why) Text() string { return human.Shorten(w.Sentence(w.language), maxValue) }

// Short is Text without the words of others.
func (w why) Short() string { return human.Shorten(w.Brief(w.language), maxValue) }

// Lang is the language that it is told in, as HTML names it.
func (w why) Lang() string { return string(w.language) }

// Label names the part of the page that tells it.
func (w why) Label() string { return operationWords[w.language]["label"] }

// Asks is what stands before Whom.
func (w why) Asks() string { return operationWords[w.language]["who"] }

// Whom is who has to act.
func (w why) Whom() string { return w.Actor(w.language) }

// Do is what they can do.
func (w why) Do() string { return w.Remedy(w.language) }

// Urgent says that it does not go on by itself.
func (w why) Urgent() bool { return w.Who != waiting.Nobody }

// reasons returns why the tasks wait; nobody is told where that cannot be seen.
func (s *Site) reasons(r *http.Request, tasks []task.Task) map[int64]*why {
	all := make(map[int64]*why)
	if s.Waits == nil {
		return all
	}
	found, err := s.Waits.Reasons(r.Context(), tasks)
	if err != nil {
		s.logged(r, err)
		return all
	}
	for id, reason := range found {
		all[id] = &why{reason, language(r)}
	}
	return all
}

// operationsPage is what those who run easel look at first.
type operationsPage struct {
	*waiting.World
	Words    map[string]string
	Queues   []namedQueue
	Accounts []waiting.Account
	Tried    []tried
	Last     time.Time // when the last worker was seen, where none is running
}

// tried is the tasks that wait for another try after failures of one kind.
type tried struct {
	store.Tally
	Newest task.Task // the one that says why
}

// URL shows these tasks alone.
func (t tried) URL() string {
	return pick{Status: task.Pending, Kind: t.ErrorKind, Provider: t.Provider}.at("/")
}

type namedQueue struct {
	Name string
	waiting.Queue
}

// Held says that somebody paused it.
func (q namedQueue) Held() bool { return !q.Paused.IsZero() }

func (s *Site) operations(r *http.Request) (answer, error) {
	if s.Waits == nil {
		return nil, errNoPage
	}
	w, err := s.Waits.Operations(r.Context())
	if err != nil {
		return nil, err
	}
	p := operationsPage{World: w, Words: operationWords[language(r)], Last: w.Seen("")}
	for name, q := range w.Queues {
		if !q.Paused.IsZero() || q.Waiting > 0 || q.Active > 0 {
			p.Queues = append(p.Queues, namedQueue{name, q})
		}
	}
	slices.SortFunc(p.Queues, func(a, b namedQueue) int { return strings.Compare(a.Name, b.Name) })
	for _, list := range w.Accounts {
		p.Accounts = append(p.Accounts, list...)
	}
	slices.SortFunc(p.Accounts, func(a, b waiting.Account) int { return strings.Compare(a.Name, b.Name) })
	if p.Tried, err = s.tried(r.Context()); err != nil {
		return nil, err
	}
	return view{name: "operations", Title: p.Words["operations"], Here: "operations", Refresh: refreshOperations, Data: p}, nil
}

// tried returns the tasks that wait for another try, by provider and kind of failure.
func (s *Site) tried(ctx context.Context) (all []tried, err error) {
	tally, err := s.pending.tally(ctx, s.Tasks, store.Filter{Statuses: []task.Status{task.Pending}, Ours: true})
	if err != nil {
		return nil, err
	}
	for _, t := range tally {
		if t.ErrorKind == "" {
			continue
		}
		newest, err := s.Tasks.List(ctx, store.Filter{Statuses: []task.Status{task.Pending}, Kinds: []task.Kind{t.ErrorKind}, Provider: t.Provider, Limit: 1})
		if err != nil {
			return nil, err
		}
		for _, one := range newest { // none if they have gone on meanwhile
			clipTask(&one)
			all = append(all, tried{t, one})
		}
	}
	return all, nil
}

// operationsJSON is the same for programs, and for easel's own commands.
func (s *Site) operationsJSON(r *http.Request) (answer, error) {
	if s.Waits == nil {
		return nil, errNoPage
	}
	w, err := s.Waits.Operations(r.Context())
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(w)
	return document(text), err
}

// document is JSON that is another one each time.
type document []byte

func (d document) write(_ *Site, w http.ResponseWriter, status int) error {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	w.Write(d)
	return nil
}

var operationWords = map[human.Language]map[string]string{
	human.English: {
		"lang": "en", "comma": ", ", "unseen": "Cannot be seen while Redis does not answer.", "tried": "Waiting for another try",
		"last_seen": "The last one was seen at", "label": "What it waits for", "who": "Who has to act: ",
		"operations": "Operations", "workers": "Workers", "none": "No worker is running: start `easel up` or `easel worker`. Until then tasks wait.",
		"serves": "serves", "since": "since", "oldest": "Due and waiting", "nothing": "Nothing that is due waits.", "oldest_one": "the oldest for",
		"queues": "Queues", "paused": "paused", "resume": "Resume it: easel queues resume", "waiting": "waiting", "active": "at workers",
		"idle": "Nothing is paused, and nothing is in a queue.", "accounts": "Accounts", "closed_until": "takes no calls until", "open": "takes calls", "spent_until": "its calls a minute are used up until",
		"in_flight": "under way", "away": "Redis does not answer", "safe": "Nothing is lost: the rows bring it all back. Start Redis or mend the way to it.",
	},
	human.Chinese: {
		"lang": "zh", "comma": "，", "unseen": "Redis 没有应答，看不到。", "tried": "等待重试的任务",
		"last_seen": "最后一个出现于", "label": "它在等什么", "who": "需要谁处理：",
		"operations": "运行状况", "workers": "工作进程", "none": "没有工作进程在运行：请启动 `easel up` 或 `easel worker`，在此之前任务会等待。",
		"serves": "处理", "since": "开始于", "oldest": "到期等待的任务", "nothing": "没有到期的任务在等待。", "oldest_one": "最早的已等",
		"queues": "队列", "paused": "已暂停", "resume": "请恢复：easel queues resume", "waiting": "等待", "active": "在工作进程上",
		"idle": "没有被暂停的队列，队列里也没有任务。", "accounts": "账号", "closed_until": "暂停调用，直到", "open": "可以调用", "spent_until": "每分钟的调用已用完，直到",
		"in_flight": "进行中", "away": "Redis 没有应答", "safe": "不会丢失任何东西：数据库里的行会把一切带回来。请启动 Redis 或修复连接。",
	},
}
