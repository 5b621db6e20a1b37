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
	{Code: "moderation_blocked", Kind: task.Moderated, Executed: task.Executed, Advice: task.Rephrase},
	{Code: "content_policy_violation", Kind: task.Moderated, Executed: task.Executed, Advice: task.Rephrase},

	{Code: "invalid_api_key", Kind: task.Auth, Executed: task.NotExecuted, Advice: task.CheckKey},
	{Code: "model_not_found", Kind: task.Invalid, Executed: task.NotExecuted, Advice: task.OpenModel},

	{Code: "insufficient_quota", Kind: task.Billing, Executed: task.NotExecuted, Advice: task.TopUp},
	{Code: "credit_balance_exhausted", Kind: task.Billing, Executed: task.NotExecuted, Advice: task.TopUp},
	{Code: "billing_hard_limit_reached", Kind: task.Billing, Executed: task.NotExecuted, Advice: task.TopUp},
	{Code: "organization_spend_limit_exceeded", Kind: task.Billing, Executed: task.NotExecuted, Advice: task.TopUp},
	{Code: "project_spend_limit_exceeded", Kind: task.Billing, Executed: task.NotExecuted, Advice: task.TopUp},
	{Code: "organization_usage_limit_exceeded", Kind: task.Billing, Executed: task.NotExecuted, Advice: task.TopUp},

	{Code: "rate_limit_exceeded", Kind: task.RateLimited, Executed: task.NotExecuted},
	{Code: "slow_down", Kind: task.RateLimited, Executed: task.NotExecuted},
	{Code: "server_is_overloaded", Kind: task.Unavailable, Executed: task.NotExecuted},
	// The service's own client sends a call that was answered so again, twice: openai-go,
	// internal/requestconfig, shouldRetry and the default of MaxRetries.
	{Code: "server_error", Kind: task.ProviderError, Executed: task.Executed, Unbilled: true},

	{Status: http.StatusRequestTimeout, Kind: task.Timeout, Executed: task.Unknown},
	{Status: http.StatusConflict, Kind: task.ProviderError, Executed: task.Unknown},
}
