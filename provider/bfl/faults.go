package bfl

import (
	"bytes"
	"encoding/json"
	"net/http"

	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/task"
)

// faults is the service's table of errors, and of the states in which a job ends
// badly.
var faults = provider.Faults{
	{Code: "Request Moderated", Kind: task.Moderated, Executed: task.Executed, Advice: task.Rephrase},
	{Code: "Content Moderated", Kind: task.Moderated, Executed: task.Executed, Advice: task.Rephrase},
	{Code: "Error", Kind: task.ProviderError, Executed: task.Executed},
	{Code: "Failed", Kind: task.ProviderError, Executed: task.Executed},

	{Code: "invalid_api_key", Kind: task.Auth, Executed: task.NotExecuted, Advice: task.CheckKey},
	{Code: "insufficient_credits", Kind: task.Billing, Executed: task.NotExecuted, Advice: task.TopUp, About: "Black Forest Labs"},
	{Code: "rate_limit_exceeded", Kind: task.RateLimited, Executed: task.NotExecuted},
	{Code: "validation_error", Kind: task.Invalid, Executed: task.NotExecuted, Advice: task.CorrectRequest},

	{Status: http.StatusPaymentRequired, Kind: task.Billing, Executed: task.NotExecuted, Advice: task.TopUp, About: "Black Forest Labs"},
	{Status: http.StatusForbidden, Kind: task.Auth, Executed: task.NotExecuted, Advice: task.CheckKey}, // of a bad key too
	// Of both the service says that the call should be made again: "retry with exponential
	// backoff" after a 500 and "wait a few moments and retry" after a 503, help.bfl.ai, Why
	// did my request fail?
	{Status: http.StatusInternalServerError, Kind: task.ProviderError, Executed: task.Executed, Unbilled: true},
	{Status: http.StatusServiceUnavailable, Kind: task.ProviderError, Executed: task.Executed, Unbilled: true},
	{Status: http.StatusNotFound, Kind: task.Unsupported, Executed: task.NotExecuted, Model: true, Advice: task.NameModel, About: "flux-2-pro"},
}

// problem is how the service writes an error: its parts differ from endpoint to
// endpoint, and detail is a text or a list of what is wrong with which field.
type problem struct {
	Error   string          `json:"error"`
	Message string          `json:"message"`
	Detail  json.RawMessage `json:"detail"`
	Details json.RawMessage `json:"details"`
}

func refusal(r provider.Reply) *task.Failure {
	var p problem
	if json.Unmarshal(r.Body, &p) != nil {
		return faults.Failure(r, "")
	}
	text := p.Message
	for _, more := range []json.RawMessage{p.Detail, p.Details} {
		if len(more) == 0 || bytes.Equal(more, []byte("null")) {
			continue
		}
		var plain string
		if json.Unmarshal(more, &plain) != nil {
			plain = string(more)
		}
		if text != "" {
			text += ": "
		}
		text += plain
	}
	return faults.Failure(r, text, p.Error)
}
