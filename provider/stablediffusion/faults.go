package stablediffusion

import (
	"bytes"
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/task"
)

// faults is the server's table of errors: the exceptions that it names, and what it
// answers without one.
var faults = provider.Faults{
	{Code: "OutOfMemoryError", Kind: task.Unsupported, Executed: task.Executed, Advice: task.AskForLess},
	{Code: "no_api", Kind: task.Unavailable, Executed: task.NotExecuted, Advice: task.CheckServer, About: "--api"},
	{Code: "Sampler not found", Kind: task.Invalid, Executed: task.NotExecuted, Advice: task.CorrectRequest},
	{Code: "Init image not found", Kind: task.Invalid, Executed: task.NotExecuted, Advice: task.CorrectRequest},
	{Code: "Invalid encoded image", Kind: task.Invalid, Executed: task.NotExecuted, Advice: task.ReplacePicture},
	{Code: "Requests not allowed", Kind: task.Invalid, Executed: task.NotExecuted, Advice: task.CorrectRequest},

	{Status: http.StatusUnprocessableEntity, Kind: task.Invalid, Executed: task.NotExecuted, Advice: task.CorrectRequest},
	{Status: http.StatusBadGateway, Kind: task.Unavailable, Executed: task.NotExecuted, Advice: task.CheckServer},
	{Status: http.StatusServiceUnavailable, Kind: task.Unavailable, Executed: task.NotExecuted, Advice: task.CheckServer},
}

// known reports whether the server's sentence is one of the table's.
func known(detail string) bool {
	return slices.ContainsFunc(faults, func(f provider.Fault) bool { return detail != "" && f.Code == detail })
}

// problem is how the server writes an error: with its exception's name or, in newer
// ones, with a detail alone, which is a text or a list of what is wrong with which field.
type problem struct {
	Error  string          `json:"error"`
	Detail json.RawMessage `json:"detail"`
	Errors string          `json:"errors"`
}

func refusal(r provider.Reply) *task.Failure {
	var p problem
	if json.Unmarshal(r.Body, &p) != nil {
		return faults.Failure(r, "")
	}
	var detail string
	if json.Unmarshal(p.Detail, &detail) != nil && !bytes.Equal(p.Detail, []byte("null")) {
		detail = string(p.Detail)
	}
	code := p.Error
	switch {
	case r.Status == http.StatusNotFound && detail == "Not Found":
		code = "no_api" // every route is missing: none was opened
	case strings.Contains(p.Errors+detail, "out of memory"):
		code = "OutOfMemoryError"
	case known(detail):
		code = detail
	}
	text := strings.TrimSpace(detail + " " + p.Errors)
	return faults.Failure(r, text, code)
}
