package provider

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/easelqueue/easel/task"
)

// maxWord is the longest text beside an error: whatever is longer may be a picture.
const maxWord = 1 << 10

// refused returns the failure that an answer with status 2xx consists of, or nil: many
// gateways refuse so. It names an error, and neither a job nor anything that could hold
// a picture, so that nothing was drawn for certain.
func (r Reply) refused() *task.Failure {
	codes, text, ok := r.refusal()
	if !ok {
		return nil
	}
	f := r.faults.Failure(r, text, codes...)
	f.Message = "the provider refused, with status 200"
	return f
}

// refusal reads the error of an answer with status 2xx that is nothing but an error.
func (r Reply) refusal() (codes []string, text string, ok bool) {
	var members map[string]json.RawMessage
	if !r.OK() {
		return nil, "", false
	}
	documents := r.Documents()
	if len(documents) != 1 || json.Unmarshal(documents[0], &members) != nil {
		return nil, "", false
	}
	if !onlyWords(members) {
		return nil, "", false
	}
	for _, name := range []string{"message", "msg", "error_description", "detail"} {
		if text == "" {
			text = plainText(members[name])
		}
	}
	code := plainText(members["code"])
	switch inner := members["error"]; {
	case holds(inner) && bytes.HasPrefix(inner, []byte("{")):
		c := Reply{Body: documents[0]}.Complaint()
		return []string{c.Code, c.Type, code}, or(c.Text(), text, string(inner)), true
	case holds(inner) && strings.ContainsAny(plainText(inner), " ，。"): // a sentence
		return []string{code}, strings.TrimSpace(plainText(inner) + " " + text), true
	case holds(inner):
		return []string{code, plainText(inner)}, or(text, plainText(inner), string(inner)), true
	case holds(members["errors"]):
		return []string{code}, or(text, string(members["errors"])), true
	case plainText(members["success"]) == "false":
		return []string{code}, text, true
	}
	return []string{code}, text, text != "" && !fineCode(code)
}

// onlyWords reports whether nothing in the answer names a job or may hold a picture.
func onlyWords(members map[string]json.RawMessage) bool {
	for name, v := range members {
		switch name {
		case "error", "errors", "message", "msg", "detail", "details":
			continue
		case "id", "task_id", "job_id", "prompt_id", "name", "url":
			if holds(v) {
				return false
			}
		}
		if holds(v) && (v[0] == '[' || v[0] == '{' || len(v) > maxWord) {
			return false
		}
	}
	return true
}

// holds reports whether the member says anything.
func holds(v json.RawMessage) bool {
	switch strings.Join(strings.Fields(string(v)), "") {
	case "", "null", `""`, "{}", "[]", "false", "0":
		return false
	}
	return true
}

// fineCode reports whether services call a success so.
func fineCode(code string) bool {
	switch strings.ToLower(code) {
	case "", "0", "1", "200", "201", "10000", "ok", "success":
		return true
	}
	return false
}

func or(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}

// spoken judges an error by its words, where neither code nor status says what it is:
// one that a service gave with status 2xx. Nothing was drawn.
func spoken(text string) Fault {
	text = strings.ToLower(text)
	for _, w := range []struct {
		row   Fault
		words []string
	}{
		{Fault{Kind: task.Billing, Next: "Top up the account at the provider"},
			[]string{"balance", "insufficient", "quota", "credit", "arrear", "余额", "额度", "欠费"}},
		{Fault{Kind: task.Auth, Next: "Check the account's key and what it may do"},
			[]string{"api key", "api_key", "apikey", "unauthorized", "invalid token", "invalid_token", "令牌", "密钥"}},
		{Fault{Kind: task.RateLimited}, []string{"rate limit", "rate_limit", "too many requests", "throttl", "限流", "频繁"}},
		{Fault{Kind: task.Moderated, Next: "Change the prompt or the input pictures"},
			[]string{"moderation", "content policy", "content_policy", "sensitive", "safety", "敏感", "违规"}},
	} {
		for _, word := range w.words {
			if strings.Contains(text, word) {
				w.row.Executed = task.No
				return w.row
			}
		}
	}
	return Fault{Kind: task.ProviderError, Executed: task.No}
}
