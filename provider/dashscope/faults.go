package dashscope

import (
	"encoding/json"
	"net/http"

	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/task"
)

const (
	correct  = "Correct the request as the provider says"
	rephrase = "Change the prompt or the input pictures"
	pay      = "Pay the account's bill or top it up"
	operator = "Check the key, the region and what the account may use"
)

// faults is the service's table of errors, those of single pictures and of tasks
// included.
var faults = provider.Faults{
	{Code: "DataInspectionFailed", Kind: task.Moderated, Executed: task.Executed, Next: rephrase}, // of the input or of the picture: it is not said
	{Code: "Arrearage", Kind: task.Billing, Executed: task.NotExecuted, Next: pay},
	{Code: "AllocationQuota.FreeTierOnly", Kind: task.Billing, Executed: task.NotExecuted, Model: true, Next: "Let the model be paid for in the console, or name another"},
	{Code: "InvalidURL*", Kind: task.Invalid, Executed: task.NotExecuted, Next: "Give input pictures that the provider can reach and read"},
	{Code: "InvalidParameter*", Kind: task.Invalid, Executed: task.NotExecuted, Next: correct},
	{Code: "InvalidApiKey", Kind: task.Auth, Executed: task.NotExecuted, Next: operator},
	{Code: "AccessDenied.Unpurchased", Kind: task.Billing, Executed: task.NotExecuted, Next: "Open the service for the account in the console"},
	{Code: "AccessDenied*", Kind: task.Auth, Executed: task.NotExecuted, Next: operator},
	{Code: "Model.AccessDenied", Kind: task.Unsupported, Executed: task.NotExecuted, Model: true, Next: "Name a model that the account may use"},
	{Code: "ModelNotFound", Kind: task.Unsupported, Executed: task.NotExecuted, Model: true, Next: "Name a model that the provider has"},
	{Code: "Throttling*", Kind: task.RateLimited, Executed: task.NotExecuted},
	{Code: "ModelUnavailable", Kind: task.Unavailable, Executed: task.NotExecuted},
	// "模型调用失败或处理错误不产生任何费用": help.aliyun.com, Model Studio, the notes on billing
	// of the image models. A task is billed only when its task_status is SUCCEEDED.
	{Code: "InternalError*", Kind: task.ProviderError, Executed: task.Executed, Unbilled: true},
	{Code: "SystemError", Kind: task.ProviderError, Executed: task.Executed, Unbilled: true},

	{Status: http.StatusNotFound, Kind: task.Invalid, Executed: task.NotExecuted, Next: correct},
}

// problem is how the service writes an error.
type problem struct {
	Code      string `json:"code"`
	Message   string `json:"message"`
	RequestID string `json:"request_id"`
}

func refusal(r provider.Reply) *task.Failure {
	var p problem
	json.Unmarshal(r.Body, &p) // what is no JSON is shown as it is
	f := faults.Failure(r, p.Message, p.Code)
	if f.RequestID == "" {
		f.RequestID = r.Scrub(p.RequestID)
	}
	return f
}

// unasked is an error of a question about a task: it says nothing of the task.
func unasked(r provider.Reply) *task.Failure {
	f := refusal(r)
	f.Executed = task.NotExecuted
	return f
}
