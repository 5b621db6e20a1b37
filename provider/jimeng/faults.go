package jimeng

import (
	"errors"
	"strconv"

	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/task"
)

// faults is the service's table of errors.
var faults = provider.Faults{
	{Code: "50411", Kind: task.Moderated, Executed: task.NotExecuted, Advice: task.Rephrase}, // an input picture
	{Code: "50412", Kind: task.Moderated, Executed: task.NotExecuted, Advice: task.Rephrase}, // the prompt
	{Code: "50413", Kind: task.Moderated, Executed: task.NotExecuted, Advice: task.Rephrase}, // words in the prompt
	{Code: "50518", Kind: task.Moderated, Executed: task.NotExecuted, Advice: task.Rephrase}, // a right to an input picture
	{Code: "50511", Kind: task.Moderated, Executed: task.Executed, Advice: task.Redraw},      // the drawing
	{Code: "50512", Kind: task.Moderated, Executed: task.Executed, Advice: task.Rephrase},    // what the drawing says
	{Code: "50519", Kind: task.Moderated, Executed: task.Executed, Advice: task.Redraw},      // a right to the drawing
	{Code: "50520", Kind: task.ProviderError, Executed: task.Unknown},                        // moderation broke
	{Code: "50521", Kind: task.ProviderError, Executed: task.Unknown},
	{Code: "50522", Kind: task.ProviderError, Executed: task.Unknown},
	{Code: "50429", Kind: task.RateLimited, Executed: task.NotExecuted, Within2xx: true}, // too many in a second
	{Code: "50430", Kind: task.RateLimited, Executed: task.NotExecuted, Within2xx: true}, // too many at a time
	{Code: "50400", Kind: task.Auth, Executed: task.NotExecuted, Advice: task.CheckAccount},
	{Code: "50500", Kind: task.ProviderError, Executed: task.Unknown},
	{Code: "50501", Kind: task.ProviderError, Executed: task.Unknown},
}

func (said reply) refusal(r provider.Reply) *task.Failure {
	code := ""
	if n := said.code(); n != 0 {
		code = strconv.FormatInt(n, 10)
	}
	f := faults.Failure(r, string(said.Message), code)
	if r.OK() {
		f.Message = "the provider refused"
	}
	if f.RequestID == "" {
		f.RequestID = said.id()
	}
	return f
}

// ended tells an error that a task has come to, which has a code of its own, from one
// of asking.
func ended(r provider.Reply, err error) error {
	var f *task.Failure
	if !errors.As(err, &f) || f.Code == "" {
		return err
	}
	switch f.Code {
	case "50429", "50430", "50400", "50500", "50501":
		f.Executed = task.NotExecuted
	default:
		f.Executed, f.Message = task.Executed, "the provider did not draw"
	}
	return f
}
