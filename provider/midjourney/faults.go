package midjourney

import (
	"strconv"
	"strings"

	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/task"
)

// Codes of the envelope.
const (
	accepted    = 1
	missing     = 3
	invalidCode = 4
	failedCode  = 9
	exists      = 21
	queued      = 22
)

// faults is the proxies' table: the envelope's codes, what gateways write as text,
// and words for the reasons for which a task fails, which are free text.
var faults = provider.Faults{
	{Code: "3", Kind: task.Unavailable, Executed: task.NotExecuted, Advice: task.CheckProxyAccounts},
	{Code: "9", Kind: task.Unavailable, Executed: task.NotExecuted, Advice: task.CheckProxyAccounts},
	{Code: "23", Kind: task.RateLimited, Executed: task.NotExecuted, Within2xx: true}, // the queue is full
	{Code: "24", Kind: task.Moderated, Executed: task.NotExecuted, Advice: task.Rephrase},
	{Code: "30", Kind: task.RateLimited, Executed: task.NotExecuted, Within2xx: true},
	{Code: "4", Kind: task.Invalid, Executed: task.NotExecuted, Advice: task.CorrectRequest},

	{Code: "quota_not_enough", Kind: task.Billing, Executed: task.NotExecuted, Advice: task.TopUp},
	{Code: "queue_full", Kind: task.RateLimited, Executed: task.NotExecuted, Within2xx: true},

	{Code: "banned", Kind: task.Moderated, Executed: task.Executed, Advice: task.Rephrase},
	{Code: "invalid_parameter", Kind: task.Invalid, Executed: task.Executed, Advice: task.CorrectRequest},
	{Code: "timeout", Kind: task.Timeout, Executed: task.Executed, Advice: task.CheckProxyAccounts},
	{Code: "MODAL", Kind: task.Unsupported, Executed: task.Executed, Advice: task.TurnOff, About: "remix"},
}

// words tell what a text is about.
var words = []struct{ text, code string }{
	{"quota_not_enough", "quota_not_enough"}, {"额度", "quota_not_enough"},
	{"queue is full", "queue_full"}, {"队列已满", "queue_full"}, {"队列满", "queue_full"}, {"排队已满", "queue_full"},
	{"banned prompt", "banned"}, {"banned word", "banned"}, {"敏感词", "banned"}, {"blocked", "banned"}, {"moderat", "banned"},
	{"invalid parameter", "invalid_parameter"}, {"invalid link", "invalid_parameter"}, {"unrecognized parameter", "invalid_parameter"},
	{"timeout", "timeout"}, {"timed out", "timeout"}, {"超时", "timeout"},
}

// reason is the word for a text, or nothing.
func reason(text string) string {
	lower := strings.ToLower(text)
	for _, w := range words {
		if strings.Contains(lower, w.text) {
			return w.code
		}
	}
	return ""
}

// refusal is what the answer to a submit means that accepts nothing. A text counts
// before a code only where the code says no more than that something was wrong.
func refusal(r provider.Reply, e envelope) *task.Failure {
	codes := []string{}
	code := e.code()
	if word := reason(string(e.Description)); (code == invalidCode || code == failedCode) && (word == "queue_full" || word == "quota_not_enough") {
		codes = append(codes, word)
	}
	if code != 0 {
		codes = append(codes, strconv.FormatInt(code, 10))
	}
	f := faults.Failure(r, string(e.Description), codes...)
	if r.OK() {
		f.Message = "the proxy refused"
	}
	return f
}
