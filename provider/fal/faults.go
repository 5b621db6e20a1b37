package fal

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/task"
)

// faults is the service's table of errors: the types of the models' and of the
// queue's. A queue that could not start a job has not run it.
var faults = provider.Faults{
	{Code: "has_nsfw_concepts", Kind: task.Moderated, Executed: task.Executed, Advice: task.Rephrase},
	{Code: "content_policy_violation", Kind: task.Moderated, Executed: task.Executed, Advice: task.Rephrase},
	{Code: "no_media_generated", Kind: task.BadAnswer, Executed: task.Executed, Advice: task.Rephrase},
	{Code: "image_too_large", Kind: task.Invalid, Executed: task.NotExecuted, Advice: task.ReplacePicture},
	{Code: "image_too_small", Kind: task.Invalid, Executed: task.NotExecuted, Advice: task.ReplacePicture},
	{Code: "image_load_error", Kind: task.Invalid, Executed: task.NotExecuted, Advice: task.ReplacePicture},
	{Code: "file_download_error", Kind: task.Invalid, Executed: task.NotExecuted, Advice: task.ReplacePicture},
	{Code: "file_too_large", Kind: task.Invalid, Executed: task.NotExecuted, Advice: task.ReplacePicture},
	{Code: "unsupported_image_format", Kind: task.Invalid, Executed: task.NotExecuted, Advice: task.ReplacePicture},

	{Code: "request_timeout", Kind: task.Timeout, Executed: task.Unknown},
	{Code: "startup_timeout", Kind: task.Unavailable, Executed: task.NotExecuted},
	{Code: "runner_scheduling_failure", Kind: task.Unavailable, Executed: task.NotExecuted},
	{Code: "runner_connection_timeout", Kind: task.Unavailable, Executed: task.NotExecuted},
	{Code: "runner_connection_refused", Kind: task.Unavailable, Executed: task.NotExecuted},
	{Code: "runner_disconnected", Kind: task.ProviderError, Executed: task.Unknown},
	{Code: "runner_connection_error", Kind: task.ProviderError, Executed: task.Unknown},
	{Code: "runner_incomplete_response", Kind: task.ProviderError, Executed: task.Unknown},
	// "Server errors (HTTP 500+) are never charged": fal.ai/docs/model-apis/faq. The others
	// above the queue has run again ten times before it gave up.
	{Code: "runner_server_error", Kind: task.ProviderError, Executed: task.Executed, Unbilled: true},

	// What became of a job that was to be cancelled while it ran; one that waited is deleted:
	// fal.ai/docs/inference-api/queue/cancel.
	{Code: "client_cancelled", Kind: task.Stopped, Executed: task.Executed},

	{Status: http.StatusForbidden, Kind: task.Billing, Executed: task.NotExecuted, Advice: task.CheckAccount},
	{Status: http.StatusPaymentRequired, Kind: task.Billing, Executed: task.NotExecuted, Advice: task.TopUp, About: "fal"},
	{Status: http.StatusInternalServerError, Kind: task.ProviderError, Executed: task.Executed, Unbilled: true}, // as above
	{Status: http.StatusNotFound, Kind: task.Unsupported, Executed: task.NotExecuted, Model: true, Advice: task.NameModel, About: "fal-ai/flux/dev"},
	{Status: http.StatusUnprocessableEntity, Kind: task.Invalid, Executed: task.NotExecuted, Advice: task.CorrectRequest},
}

// problem is how the service writes an error: a model's detail is a list of what is
// wrong with which field, the queue's is a text with a type beside it.
type problem struct {
	Detail json.RawMessage `json:"detail"`
	Type   string          `json:"error_type"`
}

type complaint struct {
	Where   []any  `json:"loc"`
	Message string `json:"msg"`
	Type    string `json:"type"`
}

func problemOf(r provider.Reply) problem {
	var p problem
	json.Unmarshal(r.Body, &p) // what is no JSON is shown as it is
	return p
}

// code is what the service calls the error, empty if it does not.
func (p problem) code(r provider.Reply) string {
	if p.Type != "" {
		return p.Type
	}
	if named := r.Header.Get("X-Fal-Error-Type"); named != "" {
		return named
	}
	for _, c := range p.list() {
		return c.Type
	}
	return ""
}

func (p problem) list() (all []complaint) {
	json.Unmarshal(p.Detail, &all)
	return all
}

func (p problem) text() string {
	var plain string
	if json.Unmarshal(p.Detail, &plain) == nil {
		return plain
	}
	var said []string
	for _, c := range p.list() {
		where := ""
		for _, part := range c.Where {
			if name, ok := part.(string); ok && name != "body" {
				where = name + ": "
			}
		}
		said = append(said, where+c.Message)
	}
	return strings.Join(said, "; ")
}

// refusal is an error of a submit.
func refusal(r provider.Reply) *task.Failure {
	p := problemOf(r)
	return faults.Failure(r, p.text(), p.code(r))
}

// unasked is an error of a question about a job: it says nothing of the job.
func unasked(r provider.Reply) *task.Failure {
	p := problemOf(r)
	f := provider.Faults{}.Failure(r, p.text(), p.code(r))
	f.Executed = task.NotExecuted
	return f
}

// ended is the answer of a job that has failed. It has ended, whatever it was: the
// queue runs again by itself what did not start. The status only says what kind it is.
func ended(r provider.Reply) *task.Failure {
	p := problemOf(r)
	f := faults.Failure(r, p.text(), p.code(r))
	what := "the model failed"
	if f.Kind == task.Stopped {
		what = "the job was cancelled"
	}
	named := faults.Ended(r, what, p.text(), p.code(r))
	f.Message, f.Executed, f.Unbilled = named.Message, named.Executed, named.Unbilled
	return f
}
