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
	{Code: "InvalidParameter.UnsupportedParameter", Kind: task.Unsupported, Executed: task.No, Next: "Leave the parameter out or choose another model"},
	{Code: "MissingParameter*", Kind: task.Invalid, Executed: task.No},
	{Code: "InvalidParameter*", Kind: task.Invalid, Executed: task.No},
	{Code: "InvalidImageURL*", Kind: task.Invalid, Executed: task.No, Next: "Give input pictures that the provider can reach and read"},
	{Code: "OutofContextError", Kind: task.Invalid, Executed: task.No, Next: "Shorten the prompt"},

	{Code: "InputTextSensitiveContentDetected*", Kind: task.Moderated, Executed: task.No, Next: rephrase},
	{Code: "InputImageSensitiveContentDetected*", Kind: task.Moderated, Executed: task.No, Next: rephrase},
	{Code: "InputTextRiskDetection*", Kind: task.Moderated, Executed: task.No, Next: rephrase},
	{Code: "InputImageRiskDetection*", Kind: task.Moderated, Executed: task.No, Next: rephrase},
	{Code: "OutputImageSensitiveContentDetected*", Kind: task.Moderated, Executed: task.Yes, Next: rephrase},
	{Code: "OutputImageRiskDetection*", Kind: task.Moderated, Executed: task.Yes, Next: rephrase},
	{Code: "SensitiveContentDetected*", Kind: task.Moderated, Executed: task.Yes, Next: rephrase}, // of which side is not said

	{Code: "InvalidEndpoint.ClosedEndpoint", Kind: task.Unsupported, Executed: task.No, Model: true, Next: open},
	{Code: "InvalidEndpointOrModel*", Kind: task.Unsupported, Executed: task.No, Model: true, Next: open},
	{Code: "ModelNotOpen", Kind: task.Unsupported, Executed: task.No, Model: true, Next: open},

	{Code: "AuthenticationError", Kind: task.Auth, Executed: task.No, Next: operator},
	{Code: "InvalidAccountStatus", Kind: task.Auth, Executed: task.No, Next: operator},
	{Code: "AccessDenied", Kind: task.Auth, Executed: task.No, Next: operator},
	{Code: "OperationDenied.ServiceNotOpen", Kind: task.Auth, Executed: task.No, Next: operator},
	{Code: "OperationDenied.ServiceOverdue", Kind: task.Billing, Executed: task.No, Next: pay},
	{Code: "AccountOverdueError", Kind: task.Billing, Executed: task.No, Next: pay},
	{Code: "SetLimitExceeded", Kind: task.Billing, Executed: task.No, Model: true, Next: "Raise the limit that was set for the model in the console"},
	{Code: "QuotaExceeded.*", Kind: task.Billing, Executed: task.No, Next: pay},
	// Plain, it is a full queue or a used-up free quota: a few tries tell.
	{Code: "QuotaExceeded", Kind: task.Unavailable, Executed: task.No, Next: "Look at the account's quota if this lasts"},

	{Code: "ModelAccountIpmRateLimitExceeded", Kind: task.RateLimited, Executed: task.No},
	{Code: "ModelAccountRpmRateLimitExceeded", Kind: task.RateLimited, Executed: task.No},
	{Code: "ModelAccountTpmRateLimitExceeded", Kind: task.RateLimited, Executed: task.No},
	{Code: "APIAccountRpmRateLimitExceeded", Kind: task.RateLimited, Executed: task.No},
	{Code: "AccountRateLimitExceeded", Kind: task.RateLimited, Executed: task.No},
	{Code: "RateLimitExceeded*", Kind: task.RateLimited, Executed: task.No},
	{Code: "RequestBurstTooFast", Kind: task.RateLimited, Executed: task.No},
	{Code: "InflightBatchsizeExceeded", Kind: task.RateLimited, Executed: task.No},
	{Code: "ServerOverloaded", Kind: task.Unavailable, Executed: task.No},

	// Only the pictures of generated_images are billed, and the service's own client sends
	// a call that was answered so again, twice: volcengine-go-sdk, arkruntime/utils/retry.go.
	{Code: "InternalServiceError", Kind: task.ProviderError, Executed: task.Yes, Unbilled: true},
}
