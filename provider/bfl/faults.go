package bfl

import (
	"bytes"
	"encoding/json"
	"net/http"

	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/task"
)

const rephrase = "Change the prompt or the input pictures"

// faults is the service's table of errors, and of the states in which a job ends
// badly.
var faults = provider.Faults{
	{Code: "Request Moderated", Kind: task.Moderated, Executed: task.Executed, Next: rephrase},
	{Code: "Content Moderated", Kind: task.Moderated, Executed: task.Executed, Next: rephrase},
	{Code: "Error", Kind: task.ProviderError, Executed: task.Executed},
	{Code: "Failed", Kind: task.ProviderError, Executed: task.Executed},

	{Code: "invalid_api_key", Kind: task.Auth, Executed: task.NotExecuted, Next: "Give the account a valid key"},
	{Code: "insufficient_credits", Kind: task.Billing, Executed: task.NotExecuted, Next: pay},
	{Code: "rate_limit_exceeded", Kind: task.RateLimited, Executed: task.NotExecuted},
	{Code: "validation_error", Kind: task.Invalid, Executed: task.NotExecuted, Next: "Correct the request as the provider says"},

	{Status: http.StatusPaymentRequired, Kind: task.Billing, Executed: task.NotExecuted, Next: pay},
	{Status: http.StatusForbidden, Kind: task.Auth, Executed: task.NotExecuted, Next: "Check the account's key and what it may do"}, // of a bad key too
	// Of both the service says that the call should be made again: "retry with exponential
	// backoff" after a 500 and "wait a few moments and retry" after a 503, help.bfl.ai, Why
	// did my request fail?
	{Status: http.StatusInternalServerError, Kind: task.ProviderError, Executed: task.Executed, Unbilled: true},
	{Status: http.StatusServiceUnavailable, Kind: task.ProviderError, Executed: task.Executed, Unbilled: true},
	{Status: http.StatusNotFound, Kind: task.Unsupported, Executed: task.NotExecuted, Model: true, Next: "Name a model of the provider, such as flux-2-pro"},
}

const pay = "Add credits to the account at Black Forest Labs"

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
