package bfl

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"strings"

	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/task"
)

// ReadCallback reads a callback: {"id","status",…}. With a secret its X-BFL-Signature must
// be the hex HMAC-SHA256 of the body. The job is polled where the account is: what
// cluster has it the callback does not say.
func (a *Adapter) ReadCallback(c provider.Callback) (json.RawMessage, string, error) {
	if c.Secret != "" {
		mac := hmac.New(sha256.New, []byte(c.Secret.Reveal()))
		mac.Write(c.Body)
		given, err := hex.DecodeString(strings.TrimPrefix(c.Header.Get("X-BFL-Signature"), "sha256="))
		if err != nil || !hmac.Equal(given, mac.Sum(nil)) {
			return nil, "", &task.Failure{Kind: task.Auth, Executed: task.NotExecuted, Message: "the callback is not signed with the account's secret"}
		}
	}
	var said struct {
		ID provider.Text `json:"id"`
	}
	if err := c.JSON(&said); err != nil || said.ID == "" || len(said.ID) > 255 {
		return nil, "", &task.Failure{Kind: task.BadAnswer, Executed: task.NotExecuted, Message: "the callback names no job", Cause: err}
	}
	return provider.WriteHandle(handle{Version: version, ID: string(said.ID), Poll: pollOf(string(said.ID)), Submitted: a.api.Client.Time()}), string(said.ID), nil
}

// pollOf is where a job is asked after that the service has named no address of.
func pollOf(id string) string { return "/v1/get_result?" + url.Values{"id": {id}}.Encode() }
