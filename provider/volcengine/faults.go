package volcengine

import (
	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/task"
)

const (
	rephrase = "Change the prompt or the input pictures"
	pay      = "Top up the account or raise its limit in the Ark console"
	operator = "Check the key, the account and the service in the Ark console"
	open     = "Name a model that is open for the account, or open it in the Ark console"
)

// faults is the service's table of errors. Its codes go on with a dot and
// particulars. What is wrong with one model is Unsupported and not Auth: the
// account is fine for all others.
var faults = provider.Faults{
	{Code: "InvalidParameter.UnsupportedParameter", Kind: task.Unsupported, Executed: task.NotExecuted, Next: "Leave the parameter out or choose another model"},
	{Code: "MissingParameter*", Kind: task.Invalid, Executed: task.NotExecuted},
	{Code: "InvalidParameter*", Kind: task.Invalid, Executed: task.NotExecuted},
	{Code: "InvalidImageURL*", Kind: task.Invalid, Executed: task.NotExecuted, Next: "Give input pictures that the provider can reach and read"},
	{Code: "OutofContextError", Kind: task.Invalid, Executed: task.NotExecuted, Next: "Shorten the prompt"},

	{Code: "InputTextSensitiveContentDetected*", Kind: task.Moderated, Executed: task.NotExecuted, Next: rephrase},
	{Code: "InputImageSensitiveContentDetected*", Kind: task.Moderated, Executed: task.NotExecuted, Next: rephrase},
	{Code: "InputTextRiskDetection*", Kind: task.Moderated, Executed: task.NotExecuted, Next: rephrase},
	{Code: "InputImageRiskDetection*", Kind: task.Moderated, Executed: task.NotExecuted, Next: rephrase},
	{Code: "OutputImageSensitiveContentDetected*", Kind: task.Moderated, Executed: task.Executed, Next: rephrase},
	{Code: "OutputImageRiskDetection*", Kind: task.Moderated, Executed: task.Executed, Next: rephrase},
	{Code: "SensitiveContentDetected*", Kind: task.Moderated, Executed: task.Executed, Next: rephrase}, // of which side is not said

	{Code: "InvalidEndpoint.ClosedEndpoint", Kind: task.Unsupported, Executed: task.NotExecuted, Model: true, Next: open},
	{Code: "InvalidEndpointOrModel*", Kind: task.Unsupported, Executed: task.NotExecuted, Model: true, Next: open},
	{Code: "ModelNotOpen", Kind: task.Unsupported, Executed: task.NotExecuted, Model: true, Next: open},

	{Code: "AuthenticationError", Kind: task.Auth, Executed: task.NotExecuted, Next: operator},
	{Code: "InvalidAccountStatus", Kind: task.Auth, Executed: task.NotExecuted, Next: operator},
	{Code: "AccessDenied", Kind: task.Auth, Executed: task.NotExecuted, Next: operator},
	{Code: "OperationDenied.ServiceNotOpen", Kind: task.Auth, Executed: task.NotExecuted, Next: operator},
	{Code: "OperationDenied.ServiceOverdue", Kind: task.Billing, Executed: task.NotExecuted, Next: pay},
	{Code: "AccountOverdueError", Kind: task.Billing, Executed: task.NotExecuted, Next: pay},
	{Code: "SetLimitExceeded", Kind: task.Billing, Executed: task.NotExecuted, Model: true, Next: "Raise the limit that was set for the model in the console"},
	{Code: "QuotaExceeded.*", Kind: task.Billing, Executed: task.NotExecuted, Next: pay},
	// Plain, it is a full queue or a used-up free quota: a few tries tell.
	{Code: "QuotaExceeded", Kind: task.Unavailable, Executed: task.NotExecuted, Next: "Look at the account's quota if this lasts"},

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
