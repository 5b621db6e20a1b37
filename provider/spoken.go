package provider

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"

	"github.com/easelqueue/easel/task"
)

// lostUpstream finds where a gateway says that it lost the service behind it.
var lostUpstream = regexp.MustCompile(`(?i)time[d _-]*out|deadline|upstream|gateway|bad_response|connection|\b(?:502|504|52[0-6])\b|超时|上游`)

// afterwards finds where a text may speak of what comes behind the drawing.
var afterwards = regexp.MustCompile(`(?i)stor(?:age|ed|ing)\b|upload|\bsav(?:e|ed|ing)\b|generated|rendered|\bdrawn\b|deducted|\b(?:was|were|been) charged|已生成|生成成功|已扣|上传|存储|保存`)

// sayings are what the words of an error mean where they are whole: a whole text, or a
// phrase that means the same in any sentence. A single word such as balance, quota or
// credit may speak of a load balancer, of storage, or of what was deducted.
var sayings = []struct {
	row    Fault
	whole  []string
	within []string
}{
	{Fault{Kind: task.Billing, Executed: task.NotExecuted, Advice: task.TopUp},
		[]string{"insufficient", "quota exceeded", "exceeded quota", "out of credit", "out of credits", "no credit", "no credits", "arrears"},
		[]string{"insufficient balance", "insufficient account balance", "insufficient user balance", "insufficient quota", "insufficient user quota",
			"insufficient credit", "insufficient fund", "balance is insufficient", "quota is insufficient", "credit is insufficient", "credits are insufficient",
			"balance is not enough", "balance not enough", "quota is not enough", "quota not enough", "not enough balance", "not enough quota", "not enough credit",
			"exceeded your current quota", "pre consume token quota failed", "account is in arrears",
			"余额不足", "额度不足", "额度已用尽", "额度已用完", "预扣费额度失败", "欠费"}},
	{Fault{Kind: task.Auth, Executed: task.NotExecuted, Advice: task.CheckKey},
		[]string{"unauthorized", "api key", "apikey"},
		[]string{"invalid api key", "incorrect api key", "wrong api key", "missing api key", "no api key", "api key is invalid", "api key not found", "invalid apikey", "invalid token",
			"无效的令牌", "令牌无效", "令牌已过期", "令牌不存在", "无效的密钥", "密钥无效", "密钥错误"}},
	{Fault{Kind: task.RateLimited, Executed: task.NotExecuted},
		[]string{"rate limit", "rate limited", "too many requests", "throttled", "throttling", "限流", "频繁", "请求频繁"},
		[]string{"rate limit exceeded", "rate limit reached", "exceeded rate limit", "exceeded the rate limit", "请求过于频繁", "请求太频繁", "访问过于频繁"}},
	// Whether the prompt or a finished picture was refused is not said: it may be billed.
	{Fault{Kind: task.Moderated, Executed: task.Executed, Advice: task.Rephrase}, nil,
		[]string{"moderation", "content policy", "sensitive", "safety system", "safety filter", "safety check", "safety polic", "safety reason", "敏感", "违规"}},
}

// spoken judges an error by its words, where neither code nor status says what it is:
// one that a service gave with status 2xx. Of what it does not know anything may be true.
func spoken(parts ...string) Fault {
	for i, part := range parts {
		parts[i] = strings.Trim(strings.NewReplacer("_", " ", "-", " ").Replace(strings.ToLower(part)), " .!。！\"'[]")
	}
	text := strings.Join(parts, " ; ")
	for _, s := range sayings {
		said := containsAny(text, s.within...) || slices.ContainsFunc(parts, func(part string) bool { return slices.Contains(s.whole, part) })
		if said && !(s.row.Executed == task.NotExecuted && afterwards.MatchString(text)) && !lostUpstream.MatchString(text) {
			return s.row
		}
	}
	return Fault{Kind: task.ProviderError, Executed: task.Unknown}
}

// workNames are the members of an answer that hold what was drawn, whole or in part.
var workNames = append([]string{"data", "output", "outputs", "image", "images", "result", "results"}, contentNames...)

// worked reports whether an answer with status 2xx speaks of work beside the error that it
// tells: of what was used, of a job, or of a picture, be it only a preview.
func (r Reply) worked() bool {
	return slices.ContainsFunc(r.Documents(), func(document json.RawMessage) bool {
		if kindOf(document) == '[' {
			return !idle(document)
		}
		var members map[string]json.RawMessage
		if json.Unmarshal(document, &members) != nil {
			return false
		}
		for name, v := range members {
			if name == "usage" && counts(v) || slices.Contains(workNames, name) && !idle(v) || !slices.Contains(errorNames, name) && shows(v) {
				return true
			}
		}
		return namesJob(document) && !badStatus(plainText(members["status"]))
	})
}

// idle reports whether what should hold pictures holds nothing, or errors in their place.
func idle(v json.RawMessage) bool {
	switch kindOf(v) {
	case '[':
		return !slices.ContainsFunc(membersOf(v), func(member view) bool { return !idle(json.RawMessage(member)) })
	case '{':
		var members map[string]json.RawMessage
		return json.Unmarshal(v, &members) == nil && onlyWords(members)
	}
	return !holds(v)
}

// counts reports whether a number above 0 lies somewhere in v.
func counts(v json.RawMessage) bool {
	switch kindOf(v) {
	case '[':
		return slices.ContainsFunc(membersOf(v), func(member view) bool { return counts(json.RawMessage(member)) })
	case '{':
		var members map[string]json.RawMessage
		json.Unmarshal(v, &members) // of a valid object: cannot fail
		for _, member := range members {
			if counts(member) {
				return true
			}
		}
		return false
	}
	var n Number
	json.Unmarshal(v, &n) // never fails
	f, ok := n.Float()
	return ok && f > 0
}
