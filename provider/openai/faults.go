package openai

import (
	"net/http"

	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/task"
)

// faults is the service's table of errors. A block by moderation may concern
// the prompt or a finished picture, which cannot be told apart, so that it
// counts as carried out.
var faults = provider.Faults{
	{Code: "moderation_blocked", Kind: task.Moderated, Executed: task.Executed, Next: rephrase},
	{Code: "content_policy_violation", Kind: task.Moderated, Executed: task.Executed, Next: rephrase},

	{Code: "invalid_api_key", Kind: task.Auth, Executed: task.NotExecuted, Next: "Give the account a valid key"},
	{Code: "model_not_found", Kind: task.Invalid, Executed: task.NotExecuted, Next: "Name a model that the account may use"},

	{Code: "insufficient_quota", Kind: task.Billing, Executed: task.NotExecuted, Next: pay},
	{Code: "credit_balance_exhausted", Kind: task.Billing, Executed: task.NotExecuted, Next: pay},
	{Code: "billing_hard_limit_reached", Kind: task.Billing, Executed: task.NotExecuted, Next: pay},
	{Code: "organization_spend_limit_exceeded", Kind: task.Billing, Executed: task.NotExecuted, Next: pay},
	{Code: "project_spend_limit_exceeded", Kind: task.Billing, Executed: task.NotExecuted, Next: pay},
	{Code: "organization_usage_limit_exceeded", Kind: task.Billing, Executed: task.NotExecuted, Next: pay},

	{Code: "rate_limit_exceeded", Kind: task.RateLimited, Executed: task.NotExecuted},
	{Code: "slow_down", Kind: task.RateLimited, Executed: task.NotExecuted},
	{Code: "server_is_overloaded", Kind: task.Unavailable, Executed: task.NotExecuted},
	// The service's own client sends a call that was answered so again, twice: openai-go,
	// internal/requestconfig, shouldRetry and the default of MaxRetries.
	{Code: "server_error", Kind: task.ProviderError, Executed: task.Executed, Unbilled: true},

	{Status: http.StatusRequestTimeout, Kind: task.Timeout, Executed: task.Unknown},
	{Status: http.StatusConflict, Kind: task.ProviderError, Executed: task.Unknown},
}

const (
	rephrase = "Change the prompt or the input pictures"
	pay      = "Add credit or raise the limit in the provider's billing settings"
)
