package dashscope

import (
	"encoding/json"
	"net/http"

	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/task"
)

// faults is the service's table of errors, those of single pictures and of tasks
// included.
var faults = provider.Faults{
	{Code: "DataInspectionFailed", Kind: task.Moderated, Executed: task.Executed, Advice: task.Rephrase}, // of the input or of the picture: it is not said
	{Code: "Arrearage", Kind: task.Billing, Executed: task.NotExecuted, Advice: task.TopUp},
	{Code: "AllocationQuota.FreeTierOnly", Kind: task.Billing, Executed: task.NotExecuted, Model: true, Advice: task.PayForModel},
	{Code: "InvalidURL*", Kind: task.Invalid, Executed: task.NotExecuted, Advice: task.ReplacePicture},
	{Code: "InvalidParameter*", Kind: task.Invalid, Executed: task.NotExecuted, Advice: task.CorrectRequest},
	{Code: "InvalidApiKey", Kind: task.Auth, Executed: task.NotExecuted, Advice: task.CheckAccount},
	{Code: "AccessDenied.Unpurchased", Kind: task.Billing, Executed: task.NotExecuted, Advice: task.CheckAccount},
	{Code: "AccessDenied*", Kind: task.Auth, Executed: task.NotExecuted, Advice: task.CheckAccount},
	{Code: "Model.AccessDenied", Kind: task.Unsupported, Executed: task.NotExecuted, Model: true, Advice: task.OpenModel},
	{Code: "ModelNotFound", Kind: task.Unsupported, Executed: task.NotExecuted, Model: true, Advice: task.NameModel},
	{Code: "Throttling*", Kind: task.RateLimited, Executed: task.NotExecuted},
	{Code: "ModelUnavailable", Kind: task.Unavailable, Executed: task.NotExecuted},
	// "模型调用失败或处理错误不产生任何费用": help.aliyun.com, Model Studio, the notes on billing
	// of the image models. A task is billed only when its task_status is SUCCEEDED.
	{Code: "InternalError*", Kind: task.ProviderError, Executed: task.Executed, Unbilled: true},
	{Code: "SystemError", Kind: task.ProviderError, Executed: task.Executed, Unbilled: true},

	{Status: http.StatusNotFound, Kind: task.Invalid, Executed: task.NotExecuted, Advice: task.CorrectRequest},
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
