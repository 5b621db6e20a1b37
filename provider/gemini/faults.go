package gemini

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/task"
)

// faults is the service's table of errors.
var faults = provider.Faults{
	{Code: "INVALID_ARGUMENT", Kind: task.Invalid, Executed: task.NotExecuted, Advice: task.CorrectRequest},
	{Code: "FAILED_PRECONDITION", Kind: task.Invalid, Executed: task.NotExecuted, Advice: task.CheckAccount},
	{Code: "API_KEY_INVALID", Kind: task.Auth, Executed: task.NotExecuted, Advice: task.CheckKey},
	{Code: "UNAUTHENTICATED", Kind: task.Auth, Executed: task.NotExecuted, Advice: task.CheckKey},
	{Code: "PERMISSION_DENIED", Kind: task.Auth, Executed: task.NotExecuted, Advice: task.CheckKey},
	{Code: "NOT_FOUND", Kind: task.Invalid, Executed: task.NotExecuted, Advice: task.NameModel},
	{Code: "daily_quota_of_model", Kind: task.Billing, Executed: task.NotExecuted, Model: true, Advice: task.RaiseModelLimit},
	{Code: "daily_quota", Kind: task.Billing, Executed: task.NotExecuted, Advice: task.RaiseQuota},
	{Code: "RESOURCE_EXHAUSTED", Kind: task.RateLimited, Executed: task.NotExecuted},
	// "If your request fails with a 400 or 500 error, you won't be charged for the tokens
	// used": ai.google.dev/gemini-api/docs/billing.
	{Code: "INTERNAL", Kind: task.ProviderError, Executed: task.Executed, Unbilled: true},
	{Code: "UNAVAILABLE", Kind: task.Unavailable, Executed: task.NotExecuted},
	{Code: "DEADLINE_EXCEEDED", Kind: task.Timeout, Executed: task.Unknown},
}

// blocks is what it means that a prompt was blocked: nothing was drawn.
var blocks = provider.Faults{
	{Code: "*", Kind: task.Moderated, Executed: task.NotExecuted, Advice: task.Rephrase},
}

// finishes is what the reasons mean for which a model ends without a picture.
var finishes = provider.Faults{
	{Code: "SAFETY", Kind: task.Moderated, Executed: task.Executed, Advice: task.Rephrase},
	{Code: "IMAGE_SAFETY", Kind: task.Moderated, Executed: task.Executed, Advice: task.Rephrase},
	{Code: "PROHIBITED_CONTENT", Kind: task.Moderated, Executed: task.Executed, Advice: task.Rephrase},
	{Code: "IMAGE_PROHIBITED_CONTENT", Kind: task.Moderated, Executed: task.Executed, Advice: task.Rephrase},
	{Code: "BLOCKLIST", Kind: task.Moderated, Executed: task.Executed, Advice: task.Rephrase},
	{Code: "SPII", Kind: task.Moderated, Executed: task.Executed, Advice: task.Rephrase},
	{Code: "RECITATION", Kind: task.Moderated, Executed: task.Executed, Advice: task.Rephrase},
	{Code: "IMAGE_RECITATION", Kind: task.Moderated, Executed: task.Executed, Advice: task.Rephrase},
	{Code: "NO_IMAGE", Kind: task.BadAnswer, Executed: task.Executed, Advice: task.AskPlainly},
	{Code: "IMAGE_OTHER", Kind: task.BadAnswer, Executed: task.Executed},
	{Code: "MAX_TOKENS", Kind: task.BadAnswer, Executed: task.Executed},
	{Code: "OTHER", Kind: task.BadAnswer, Executed: task.Executed},
	{Code: "STOP", Kind: task.BadAnswer, Executed: task.Executed, Advice: task.AskPlainly},
}

// problem is how the service writes an error.
type problem struct {
	Error struct {
		Message string   `json:"message"`
		Status  string   `json:"status"`
		Details []detail `json:"details"`
	} `json:"error"`
}

// detail is one of several kinds of particulars.
type detail struct {
	Reason     string `json:"reason"`     // "API_KEY_INVALID"
	RetryDelay string `json:"retryDelay"` // "27s"
	Violations []struct {
		QuotaID string `json:"quotaId"`
	} `json:"violations"`
}

// daily is the code for the quotas of the day that are used up; empty if none is.
func (d detail) daily() string {
	code := ""
	for _, v := range d.Violations {
		switch {
		case !strings.Contains(v.QuotaID, "PerDay"):
		case !strings.Contains(v.QuotaID, "PerModel"):
			return "daily_quota"
		default:
			code = "daily_quota_of_model"
		}
	}
	return code
}

func refusal(r provider.Reply) *task.Failure {
	var p problem
	json.Unmarshal(r.Body, &p) // what is no JSON is shown as it is
	code := p.Error.Status
	for _, d := range p.Error.Details {
		if d.Reason == "API_KEY_INVALID" { // which comes as an INVALID_ARGUMENT
			code = d.Reason
		}
		if after, err := time.ParseDuration(d.RetryDelay); err == nil && after > 0 && r.RetryAfter == 0 {
			r.RetryAfter = min(after, time.Hour)
		}
		if quota := d.daily(); quota != "" && code == "RESOURCE_EXHAUSTED" {
			return faults.Failure(r, p.Error.Message, quota) // asking again in seconds would go on for the whole day
		}
	}
	return faults.Failure(r, p.Error.Message, code)
}

func blocked(r provider.Reply, reason, text string) *task.Failure {
	f := blocks.Failure(r, text, reason)
	f.Message = "the provider refused the prompt"
	return f
}

func unfinished(r provider.Reply, reason, text string) *task.Failure {
	if reason == "" {
		f := r.Bad("the provider's answer holds no picture")
		f.Detail = r.Scrub(text)
		return f
	}
	f := finishes.Failure(r, text, reason)
	f.Message = "the provider drew no picture"
	return f
}
