package volcengine

import (
	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/task"
)

// faults is the service's table of errors. Its codes go on with a dot and
// particulars. What is wrong with one model is Unsupported and not Auth: the
// account is fine for all others.
var faults = provider.Faults{
	{Code: "InvalidParameter.UnsupportedParameter", Kind: task.Unsupported, Executed: task.NotExecuted, Advice: task.LeaveOut},
	{Code: "MissingParameter*", Kind: task.Invalid, Executed: task.NotExecuted},
	{Code: "InvalidParameter*", Kind: task.Invalid, Executed: task.NotExecuted},
	{Code: "InvalidImageURL*", Kind: task.Invalid, Executed: task.NotExecuted, Advice: task.ReplacePicture},
	{Code: "OutofContextError", Kind: task.Invalid, Executed: task.NotExecuted, Advice: task.ShortenPrompt},

	{Code: "InputTextSensitiveContentDetected*", Kind: task.Moderated, Executed: task.NotExecuted, Advice: task.Rephrase},
	{Code: "InputImageSensitiveContentDetected*", Kind: task.Moderated, Executed: task.NotExecuted, Advice: task.Rephrase},
	{Code: "InputTextRiskDetection*", Kind: task.Moderated, Executed: task.NotExecuted, Advice: task.Rephrase},
	{Code: "InputImageRiskDetection*", Kind: task.Moderated, Executed: task.NotExecuted, Advice: task.Rephrase},
	{Code: "OutputImageSensitiveContentDetected*", Kind: task.Moderated, Executed: task.Executed, Advice: task.Rephrase},
	{Code: "OutputImageRiskDetection*", Kind: task.Moderated, Executed: task.Executed, Advice: task.Rephrase},
	{Code: "SensitiveContentDetected*", Kind: task.Moderated, Executed: task.Executed, Advice: task.Rephrase}, // of which side is not said

	{Code: "InvalidEndpoint.ClosedEndpoint", Kind: task.Unsupported, Executed: task.NotExecuted, Model: true, Advice: task.OpenModel},
	{Code: "InvalidEndpointOrModel*", Kind: task.Unsupported, Executed: task.NotExecuted, Model: true, Advice: task.OpenModel},
	{Code: "ModelNotOpen", Kind: task.Unsupported, Executed: task.NotExecuted, Model: true, Advice: task.OpenModel},

	{Code: "AuthenticationError", Kind: task.Auth, Executed: task.NotExecuted, Advice: task.CheckAccount},
	{Code: "InvalidAccountStatus", Kind: task.Auth, Executed: task.NotExecuted, Advice: task.CheckAccount},
	{Code: "AccessDenied", Kind: task.Auth, Executed: task.NotExecuted, Advice: task.CheckAccount},
	{Code: "OperationDenied.ServiceNotOpen", Kind: task.Auth, Executed: task.NotExecuted, Advice: task.CheckAccount},
	{Code: "OperationDenied.ServiceOverdue", Kind: task.Billing, Executed: task.NotExecuted, Advice: task.TopUp, About: "Ark"},
	{Code: "AccountOverdueError", Kind: task.Billing, Executed: task.NotExecuted, Advice: task.TopUp, About: "Ark"},
	{Code: "SetLimitExceeded", Kind: task.Billing, Executed: task.NotExecuted, Model: true, Advice: task.RaiseModelLimit},
	{Code: "QuotaExceeded.*", Kind: task.Billing, Executed: task.NotExecuted, Advice: task.TopUp, About: "Ark"},
	// Plain, it is a full queue or a used-up free quota: a few tries tell.
	{Code: "QuotaExceeded", Kind: task.Unavailable, Executed: task.NotExecuted, Advice: task.RaiseQuota},

	{Code: "ModelAccountIpmRateLimitExceeded", Kind: task.RateLimited, Executed: task.NotExecuted},
	{Code: "ModelAccountRpmRateLimitExceeded", Kind: task.RateLimited, Executed: task.NotExecuted},
	{Code: "ModelAccountTpmRateLimitExceeded", Kind: task.RateLimited, Executed: task.NotExecuted},
	{Code: "APIAccountRpmRateLimitExceeded", Kind: task.RateLimited, Executed: task.NotExecuted},
	{Code: "AccountRateLimitExceeded", Kind: task.RateLimited, Executed: task.NotExecuted},
	{Code: "RateLimitExceeded*", Kind: task.RateLimited, Executed: task.NotExecuted},
	{Code: "RequestBurstTooFast", Kind: task.RateLimited, Executed: task.NotExecuted},
	{Code: "InflightBatchsizeExceeded", Kind: task.RateLimited, Executed: task.NotExecuted},
	{Code: "ServerOverloaded", Kind: task.Unavailable, Executed: task.NotExecuted},

	// Only the pictures of generated_images are billed, and the service's own client sends
	// a call that was answered so again, twice: volcengine-go-sdk, arkruntime/utils/retry.go.
	{Code: "InternalServiceError", Kind: task.ProviderError, Executed: task.Executed, Unbilled: true},
}
