package provider

import (
	"bytes"
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/easelqueue/easel/task"
)

// Fault is a row of a service's table of errors: what its code, or its status
// where it gives no known code, means to us.
type Fault struct {
	Code     string // as the service writes it; a trailing * stands for any rest. Matches at any status
	Status   int    // used where Code is empty
	Kind     task.Kind
	Executed task.Execution
	Advice   task.Advice
	About    string // the argument of Advice

	// Unbilled marks a failure of the service's own that drew nothing and that it does not
	// bill, or says to send again; beside it stands where the service says so. Its Kind
	// is ProviderError, and Executed. What a gateway has answered is none of it.
	Unbilled bool
	// Model marks a refusal of the one model: the account is fine for all others.
	Model bool
	// Within2xx marks a rate limit that the service is known to tell within a 2xx. Any
	// other that is told so spends a try: the call may be billed as the 2xx that it is.
	Within2xx bool
}

// Faults is a service's table of errors. Codes count before statuses, and an
// earlier row before a later one; what no row names is judged by its status alone.
type Faults []Fault

// Failure says what the answer r means. Codes are what the service called the
// error, most particular first; text is its own explanation, and the beginning
// of the body where it gave none.
func (fs Faults) Failure(r Reply, text string, codes ...string) *task.Failure {
	row := r.judged(fs.of(r, text, codes), text)
	if !r.free && (row.Executed == task.NotExecuted || row.Code == "" && r.Status == http.StatusServiceUnavailable) && ofModel(r.Status, text) {
		row = Fault{Kind: task.Unsupported, Executed: task.NotExecuted, Model: true, Advice: task.OpenModel}
	}
	f := r.failure(row, answered(r.Status))
	f.SpendsTry = row.Kind == task.RateLimited && r.OK() && !row.Within2xx && !r.free
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

// of is the row for the answer. What a service tells within a 2xx has no status of its own.
func (fs Faults) of(r Reply, text string, codes []string) Fault {
	said, inside, ok := r.refusal()
	if !ok {
		return fs.find(r.Status, codes)
	}
	for _, code := range append(codes, said...) {
		if row, named := fs.named(code); named && !(row.Unbilled && lostUpstream.MatchString(inside+" "+text)) {
			return row
		}
	}
	return spoken(append(slices.Clone(said), inside, text)...)
}

// judged is the row as it counts for this answer. A web page, an empty body and some
// statuses come from a gateway, which does not know what the service behind it did. By
// its status alone an answer is the service's word only if it is a JSON object.
// A page that says 403 was written before the service was asked. What is not billed
// services tell by their statuses, and not within a 2xx. That nothing was drawn is believed
// within a 2xx only of an error that stands alone.
func (r Reply) judged(row Fault, text string) Fault {
	switch {
	case r.OK() && !r.free && row.Executed == task.NotExecuted && (r.worked() || afterwards.MatchString(text)):
		return Fault{Kind: task.ProviderError, Executed: task.Unknown}
	case r.Status == http.StatusForbidden && r.page():
		return Fault{Kind: task.Unavailable, Executed: task.NotExecuted, Advice: task.CheckProxy}
	case r.Status >= 500 && (r.page() || row.Code == "" && len(bytes.TrimSpace(r.Body)) == 0):
		return faultOf(r.Status)
	case row.Unbilled && r.free: // of the asking, not of what was asked about
		row.Unbilled, row.Executed = false, task.NotExecuted
	case row.Unbilled && (r.Status < 300 || byGateway(r.Status) || row.Code == "" && !bytes.HasPrefix(bytes.TrimSpace(r.Body), []byte("{"))):
		row.Unbilled, row.Executed = false, task.Unknown
	}
	return row
}

// page reports whether the body is a web page, which no service of ours answers with.
func (r Reply) page() bool { return bytes.HasPrefix(bytes.TrimSpace(r.Body), []byte("<")) }

// byGateway reports whether the status is one that gateways answer with in the place of
// the service: 520 to 526 are Cloudflare's.
func byGateway(status int) bool {
	return status == http.StatusBadGateway || status == http.StatusGatewayTimeout || status >= 520 && status <= 526
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
	case 401:
		return Fault{Kind: task.Auth, Executed: task.NotExecuted, Advice: task.CheckKey}
	case 403: // which need not be about the key: what else the account asks for goes on
		return Fault{Kind: task.Auth, Executed: task.NotExecuted, Model: true, Advice: task.CheckKey}
	case 402:
		return Fault{Kind: task.Billing, Executed: task.NotExecuted, Advice: task.TopUp}
	case 408:
		return Fault{Kind: task.Timeout, Executed: task.Unknown}
	case 429:
		return Fault{Kind: task.RateLimited, Executed: task.NotExecuted}
	}
	switch {
	case status >= 500:
		return Fault{Kind: task.ProviderError, Executed: task.Unknown}
	case status >= 400:
		return Fault{Kind: task.Invalid, Executed: task.NotExecuted, Advice: task.CorrectRequest}
	}
	return Fault{Kind: task.BadAnswer, Executed: task.Unknown}
}

// Complaint is the error object of OpenAI, and of the many services that took
// over its form: {"error":{"message","type","param","code"}}.
type Complaint struct {
	Code    string `json:"code"`
	Type    string `json:"type"`
	Message string `json:"message"`
	Param   string `json:"param"`
}

// UnmarshalJSON takes a code of any type, and what is no object as no complaint at all.
func (c *Complaint) UnmarshalJSON(raw []byte) error {
	var members map[string]json.RawMessage
	if json.Unmarshal(raw, &members) == nil {
		*c = Complaint{plainText(members["code"]), plainText(members["type"]), plainText(members["message"]), plainText(members["param"])}
	}
	return nil
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
