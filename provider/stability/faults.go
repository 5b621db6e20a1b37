package stability

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/task"
)

// faults is the service's table of errors, and of the ways in which a picture is
// finished that is none.
var faults = provider.Faults{
	{Code: "CONTENT_FILTERED", Kind: task.Moderated, Executed: task.Executed, Advice: task.Rephrase},
	{Code: "content_moderation", Kind: task.Moderated, Executed: task.NotExecuted, Advice: task.Rephrase},
	{Code: "bad_request", Kind: task.Invalid, Executed: task.NotExecuted, Advice: task.CorrectRequest},
	{Code: "invalid_language", Kind: task.Invalid, Executed: task.NotExecuted, Advice: task.UseEnglish},
	{Code: "unauthorized", Kind: task.Auth, Executed: task.NotExecuted, Advice: task.CheckKey},
	{Code: "payment_required", Kind: task.Billing, Executed: task.NotExecuted, Advice: task.TopUp, About: "Stability AI"},
	{Code: "insufficient_balance", Kind: task.Billing, Executed: task.NotExecuted, Advice: task.TopUp, About: "Stability AI"},
	{Code: "payload_too_large", Kind: task.Invalid, Executed: task.NotExecuted, Advice: task.ShrinkPicture, About: "10 MiB"},
	{Code: "rate_limit_exceeded", Kind: task.RateLimited, Executed: task.NotExecuted},
	// "You will not be charged for failed generations": the service's own OpenAPI
	// description of v2beta, at each of the stable-image services.
	{Code: "internal_error", Kind: task.ProviderError, Executed: task.Executed, Unbilled: true},

	{Status: http.StatusPaymentRequired, Kind: task.Billing, Executed: task.NotExecuted, Advice: task.TopUp, About: "Stability AI"},
	{Status: http.StatusRequestEntityTooLarge, Kind: task.Invalid, Executed: task.NotExecuted, Advice: task.ShrinkPicture, About: "10 MiB"},
}

// problem is how the service writes an error; some say message and not errors.
type problem struct {
	Name    string   `json:"name"`
	Errors  []string `json:"errors"`
	Message string   `json:"message"`
}

func refusal(r provider.Reply) *task.Failure {
	var p problem
	json.Unmarshal(r.Body, &p) // what is no JSON is shown as it is
	text := strings.Join(p.Errors, "; ")
	if text == "" {
		text = p.Message
	}
	return faults.Failure(r, text, p.Name)
}
