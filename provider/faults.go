package provider

import (
	"encoding/json"
	"strings"

	"github.com/easelqueue/easel/task"
)

// Fault is a row of a service's table of errors: what its code, or its status
// where it gives no known code, means to us.
type Fault struct {
	Code     string // as the service writes it; a trailing * stands for any rest. Matches at any status
	Status   int    // used where Code is empty
	Kind     task.Kind
	Executed task.Executed
	Next     string // what the reader can do, one sentence without a full stop
}

// Faults is a service's table of errors. Codes count before statuses, and an
// earlier row before a later one; what no row names is judged by its status alone.
type Faults []Fault

// Failure says what the answer r means. Codes are what the service called the
// error, most particular first; text is its own explanation, and the beginning
// of the body where it gave none.
func (fs Faults) Failure(r Reply, text string, codes ...string) *task.Failure {
	f := r.failure(fs.find(r.Status, codes), answered(r.Status))
	f.Detail = Scrub(text, r.secrets...)
	if f.Detail == "" {
		f.Detail = r.excerpt()
	}
	for _, code := range codes {
		if code != "" {
			f.Code = cut(redact(code, r.secrets), task.MaxText)
			break
		}
	}
	return f
}

func (fs Faults) find(status int, codes []string) Fault {
	for _, code := range codes {
		if row, ok := fs.named(code); ok {
			return row
		}
	}
	for _, row := range fs {
		if row.Code == "" && row.Status == status {
			return row
		}
	}
	return faultOf(status)
}

// named returns the first row that names the code.
func (fs Faults) named(code string) (Fault, bool) {
	for _, row := range fs {
		if row.Code != "" && row.names(code) {
			return row, true
		}
	}
	return Fault{}, false
}

func (f Fault) names(code string) bool {
	if prefix, any := strings.CutSuffix(f.Code, "*"); any {
		return strings.HasPrefix(code, prefix)
	}
	return f.Code == code
}

// faultOf judges an answer by nothing but its status. A 5xx is never No: the
// service, or a gateway before it, may have failed after the picture was drawn.
func faultOf(status int) Fault {
	switch status {
	case 401, 403:
		return Fault{Kind: task.Auth, Executed: task.No, Next: "Check the account's key and what it may do"}
	case 402:
		return Fault{Kind: task.Billing, Executed: task.No, Next: "Top up the account at the provider"}
	case 408:
		return Fault{Kind: task.Timeout, Executed: task.Maybe}
	case 429:
		return Fault{Kind: task.RateLimited, Executed: task.No}
	}
	switch {
	case status >= 500:
		return Fault{Kind: task.ProviderError, Executed: task.Maybe}
	case status >= 400:
		return Fault{Kind: task.Invalid, Executed: task.No, Next: "Correct the request as the provider says"}
	}
	return Fault{Kind: task.BadAnswer, Executed: task.Maybe}
}

// Complaint is the error object of OpenAI, and of the many services that took
// over its form: {"error":{"message","type","param","code"}}.
type Complaint struct {
	Code    string `json:"code"`
	Type    string `json:"type"`
	Message string `json:"message"`
	Param   string `json:"param"`
}

// Text is what a person reads of it.
func (c Complaint) Text() string {
	if c.Param != "" {
		return c.Message + " (parameter " + c.Param + ")"
	}
	return c.Message
}

// Complaint returns the error object in the body, or a zero one.
func (r Reply) Complaint() Complaint {
	var envelope struct{ Error Complaint }
	if json.Unmarshal(r.Body, &envelope) != nil {
		return Complaint{}
	}
	return envelope.Error
}
