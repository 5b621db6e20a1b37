package replicate

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strings"

	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/task"
)

// faults is the service's table of errors. It has few codes: HTTP says most of
// it, and what a failed model writes is free text. No failure is unbilled: time that a
// model has run is billed however it ended, and the service's own client repeats a POST
// after a 429 only.
var faults = provider.Faults{
	{Code: "nsfw", Kind: task.Moderated, Executed: task.Executed, Advice: task.Rephrase},
	{Code: "E005", Kind: task.Moderated, Executed: task.Executed, Advice: task.Rephrase},
	{Status: http.StatusPaymentRequired, Kind: task.Billing, Executed: task.NotExecuted, Advice: task.TopUp, About: "Replicate"},
	{Status: http.StatusNotFound, Kind: task.Unsupported, Executed: task.NotExecuted, Model: true, Advice: task.NameModel, About: "owner/name:version"},
	{Status: http.StatusUnprocessableEntity, Kind: task.Invalid, Executed: task.NotExecuted, Advice: task.CorrectRequest},
}

// problem is how the service writes an error; often there is only a detail.
type problem struct {
	Title  string `json:"title"`
	Detail string `json:"detail"`
	Code   string `json:"code"`
}

func refusal(r provider.Reply) *task.Failure {
	var p problem
	json.Unmarshal(r.Body, &p) // what is no JSON is shown as it is
	text := p.Detail
	if text == "" {
		text = p.Title
	}
	return faults.Failure(r, text, p.Code)
}

var errorCode = regexp.MustCompile(`\bE\d{3,4}\b`)

// codeIn finds what a failed model's text says in a word: an error number, or
// that the output was held back.
func codeIn(text string) string {
	if strings.Contains(strings.ToLower(text), "nsfw") {
		return "nsfw"
	}
	return errorCode.FindString(text)
}
