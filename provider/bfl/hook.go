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

// Hook reads a callback: {"id","status",…}. With a secret its X-BFL-Signature must
// be the hex HMAC-SHA256 of the body. The job is polled where the account is: what
// cluster has it the callback does not say.
func (a *Adapter) Hook(c provider.Callback) (json.RawMessage, string, error) {
	if c.Secret != "" {
		mac := hmac.New(sha256.New, []byte(c.Secret.Reveal()))
		mac.Write(c.Body)
		given, err := hex.DecodeString(strings.TrimPrefix(c.Header.Get("X-BFL-Signature"), "sha256="))
		if err != nil || !hmac.Equal(given, mac.Sum(nil)) {
			return nil, "", &task.Failure{Kind: task.Auth, Executed: task.No, Message: "the callback is not signed with the account's secret"}
		}
	}
	var said struct {
		ID string `json:"id"`
	}
	if err := json.Unmarshal(c.Body, &said); err != nil || said.ID == "" || len(said.ID) > 255 {
		return nil, "", &task.Failure{Kind: task.BadAnswer, Executed: task.No, Message: "the callback names no job", Cause: err}
	}
	poll := "/v1/get_result?" + url.Values{"id": {said.ID}}.Encode()
	return provider.WriteHandle(handle{Version: version, ID: said.ID, Poll: poll, Submitted: a.api.Client.Time()}), said.ID, nil
}
