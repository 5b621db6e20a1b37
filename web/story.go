package web

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/easelqueue/easel/internal/human"
	"github.com/easelqueue/easel/task"
)

const (
	refreshStory = 2
	maxValue     = 2_000 // characters of one value in a list of facts
	maxReply     = 20_000
)

// storyPage is all that is known of one task.
type storyPage struct {
	*task.Task
	Now      time.Time
	Standing string
	Why      *why      // what it waits for; nil if for nothing, or if that is not known
	About    kindWords // the kind of its failure
	Answer   []shot
	Late     []shot
	Calls    []call
	Asked    []fact
	Stands   []fact
	Times    []instant
	Reply    string

	CanRetry, CanCancel, Unknown bool
	PaidFor                      bool   // a retry collects what was paid for
	BuysAgain                    bool   // a retry would pay again for what was charged and given up
	BuysFirst                    bool   // and so would the word that the call of unknown outcome was not charged
	Retries                      string // what a retry of a cancelled task begins with

	// Undecided says that nobody can be asked about the last call; Console is where people
	// look it up, empty if that is not known.
	Undecided bool
	Console   string
}

// Told says that what the task waits for tells its last error already.
func (p storyPage) Told() bool { return p.Why != nil && p.Why.Urgent() && p.Why.Said == p.Reason() }

// Taken is the calls that Buy again gives up, as a form sends them back: NUMBER.STATE, with a
// space between.
func (p storyPage) Taken() string {
	var words []string
	for i := range p.Calls {
		if a := &p.Calls[i].Attempt; a.Collectable() {
			words = append(words, fmt.Sprintf("%d.%s", a.Number, a.State))
		}
	}
	return strings.Join(words, " ")
}

// Words is the prompt; empty if it says nothing.
func (p storyPage) Words() string {
	if strings.TrimSpace(p.Prompt) == "" {
		return ""
	}
	return p.Prompt
}

// Vain says that a retry of the same request fails again.
func (p storyPage) Vain() bool { return p.Status == task.Failed && vain(p.ErrorKind) && !p.PaidFor }

// Code is the provider's code of the failure, unless its message says it already.
func (p storyPage) Code() string { return unsaid(p.ErrorCode, p.ErrorMsg) }

// fact is a line of a list.
type fact struct {
	Name, Value string
	Ours        bool // easel's own words, to be told in the reader's language
}

// instant is a line of a list of times.
type instant struct {
	Name string
	Time time.Time
}

// call is an attempt as the page shows it.
type call struct {
	task.Attempt
	now time.Time
}

// Account is whom the call was made to.
func (c call) Account() string {
	if c.Attempt.Account == "" {
		return c.Provider
	}
	return c.Provider + " / " + c.Attempt.Account
}

// stray is bytes of the call that no decoder takes.
type stray struct{ task.RawFile }

// Position is which picture of the task it is, from 1.
func (k stray) Position() int { return k.RawFile.Position + 1 }

// File is the address of the bytes, to be saved.
func (k stray) File() string { return pictureURL(k.StorageKey, "") }

// Strays are the bytes that were kept as they came.
func (c call) Strays() []stray {
	var all []stray
	for _, k := range c.RawFileList() {
		clip(maxValue, &k.Reason, &k.ContentType)
		all = append(all, stray{k})
	}
	return all
}

// Remote says that it went over HTTP, and not to what is inside this program.
func (c call) Remote() bool {
	return c.HTTPStatus != nil || !strings.HasPrefix(c.Endpoint, c.Provider+":")
}

// Took is how long the provider needed, or has needed so far; empty if nobody knows.
func (c call) Took() string {
	took, known := c.Attempt.Took()
	switch {
	case known:
		return human.English.Took(took)
	case c.FinishedAt == nil:
		return human.English.Span(max(c.now.Sub(c.SentAt), 0)) + " so far"
	}
	return ""
}

// Cost is what the call cost, as far as it is known.
func (c call) Cost() string {
	if c.CostMicros == nil {
		switch c.State {
		case task.AttemptRejected:
			return "none, the call did not happen"
		case task.AttemptSending, task.AttemptAccepted:
			return "not known yet"
		}
	}
	return cost(c.CostMicros, c.Currency)
}

// Code is the provider's code of the failure, unless its message says it already.
func (c call) Code() string { return unsaid(c.ErrorCode, c.ErrorMsg) }

func unsaid(code, message string) string {
	if strings.Contains(message, code) {
		return ""
	}
	return code
}

// Meaning says what the state of the call stands for.
func (c call) Meaning() string {
	switch c.State {
	case task.AttemptSending:
		return "written down before the call; no reply so far"
	case task.AttemptRejected:
		return "certainly not carried out"
	case task.AttemptAccepted:
		return "the provider has the job"
	case task.AttemptAnswered:
		return "pictures are drawn, not yet stored"
	case task.AttemptSucceeded:
		return "pictures are stored"
	case task.AttemptFailed:
		return "carried out, without a picture"
	case task.AttemptUnknown:
		return "nobody can say whether it happened"
	}
	return ""
}

func (s *Site) story(r *http.Request) (answer, error) {
	id, err := parseID("the task", r.PathValue("id"))
	if err != nil {
		return nil, err
	}
	ctx := r.Context()
	t, err := s.Tasks.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	if t.DeletedAt != nil {
		return nil, noTask(id)
	}
	attempts, err := s.Tasks.Attempts(ctx, id)
	if err != nil {
		return nil, err
	}
	results, err := s.Tasks.Results(ctx, id)
	if err != nil {
		return nil, err
	}
	told := tell(t, attempts, results, s.reasons(r, []task.Task{*t})[id], time.Now())
	if s.Undecided != nil && told.Unknown {
		told.Undecided, told.Console = s.Undecided(attempts)
	}
	v := view{name: "story", Title: "Task " + strconv.FormatInt(id, 10), Here: "task", Data: told}
	if !t.Status.Final() || task.CollectedByItself(t, attempts) {
		v.Refresh = refreshStory
	}
	return v, nil
}

// What is said of a failed task in the place of what helps against its kind, once a call of it was paid for.
const (
	retryCollects     = "The provider has taken the call, so it was paid for. A retry collects what it drew and does not make it again."
	collectedByItself = "The lost call was found again. What it drew is collected by itself and completes the task; nothing is bought."
	takesPart         = "Some of its pictures came before its worker was lost, and are in our storage, so the call was paid for. A retry takes them, and buys nothing."
	keptByItself      = "The provider has taken the call. What it drew is collected by itself and kept beside the task; nothing is bought."
)

// retryBegins says what a retry of a cancelled task begins with.
var retryBegins = map[task.RetryStep]string{
	task.Buys:     "It was cancelled. A retry makes a new call, which may cost money.",
	task.Collects: "It was cancelled after a call was made. A retry collects what that call drew and does not pay for it twice.",
	task.Takes:    "It was cancelled, and its picture came all the same. A retry makes the picture below the task's answer, and buys nothing.",
	task.Asks:     "It was cancelled while nobody knew what became of its call. A retry asks the provider about the call first, where it can be asked.",
}

func tell(t *task.Task, attempts []task.Attempt, results []task.Result, why *why, now time.Time) storyPage {
	t.HideUsers()
	clipTask(t)
	h := task.History{ImageCount: t.ImageCount, Attempts: attempts, Results: results}
	next := h.AfterRetry()
	p := storyPage{
		Task: t, Now: now, Standing: brief(t, why, now), Why: why, About: wordsFor(t.ErrorKind),
		Asked: asked(t), Stands: stands(t, attempts), Times: times(t), Reply: human.Shorten(t.APIResponse, maxReply),
		CanRetry:  t.Status.CanBecome(task.Pending) && t.Status.Final() && !t.OwnedByApp(),
		CanCancel: t.Status.CanBecome(task.Cancelled) && !t.OwnedByApp(),
		Unknown:   t.Status == task.Failed && t.ErrorKind == task.OutcomeUnknown && next == task.Asks,
	}
	p.BuysAgain = p.CanRetry && next == task.BuysAgain
	p.BuysFirst = p.Unknown && h.NotCharged().AfterRetry() == task.BuysAgain
	if p.CanRetry && t.Status == task.Cancelled {
		p.Retries = retryBegins[next]
	}
	if p.PaidFor = p.CanRetry && task.AnyCollectable(attempts); p.PaidFor {
		p.About.What = retryCollects
		if task.CollectedByItself(t, attempts) {
			p.About.Who, p.About.What = "Nobody", keptByItself
			if t.Status == task.Cancelled {
				p.Retries = keptByItself
			}
			if t.ErrorKind == task.OutcomeUnknown {
				p.About.What = collectedByItself
			}
		}
	}
	if t.Status == task.Failed && t.ErrorKind == task.OutcomeUnknown && next == task.Takes {
		p.About.What = takesPart
	}
	p.Answer, p.Late = split(t, results)
	for _, a := range attempts {
		clip(maxValue, &a.Provider, &a.Account, &a.Endpoint, &a.ProviderRequestID, &a.Key, &a.Worker,
			&a.Currency, &a.PriceVersion)
		clipError(&a.RowError)
		p.Calls = append(p.Calls, call{a, now})
	}
	slices.Reverse(p.Calls) // the newest is what the reader came for
	return p
}

// clipTask bounds what a page says of a task: a row that came by SQL can hold
// texts of any length.
func clipTask(t *task.Task) {
	clip(task.MaxPrompt, &t.Prompt, &t.NegativePrompt)
	clip(task.MaxText, &t.Provider, &t.Currency)
	clipError(&t.RowError)
}

// clipError bounds the reason, and not what can be done about it.
func clipError(e *task.RowError) {
	clip(maxValue, &e.ErrorCode, &e.ErrorAbout)
	reason, ending := e.Reason(), ""
	if e.Advised() {
		ending = e.ErrorAdvice.Ending(e.ErrorAbout)
	}
	e.ErrorMsg = human.Shorten(reason, maxValue) + ending
}

func clip(n int, texts ...*string) {
	for _, text := range texts {
		*text = human.Shorten(*text, n)
	}
}
