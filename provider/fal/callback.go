package fal

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/task"
)

// drift is how far the time in a signature may be from ours.
const drift = 5 * time.Minute

// ReadCallback reads a callback: {"request_id","status",…}. Its secret is the service's
// public key in base64, as its JWKS has it in x; several are separated by commas.
// Then the signature must be one of theirs, over request id, user id, time and the
// hex SHA-256 of the body, a line each.
//
// The callback does not say where to ask after its job. For a call whose answer was
// lost, and for no other, the addresses are put together as the service forms them:
// from the first two parts of the model's name.
func (a *Adapter) ReadCallback(c provider.Callback) (json.RawMessage, string, error) {
	if c.Secret != "" && !signed(c, a.api.Client.Time()) {
		return nil, "", &task.Failure{Kind: task.Auth, Executed: task.NotExecuted, Message: "the callback is not signed with the service's key, or not now"}
	}
	var said struct {
		ID provider.Text `json:"request_id"`
	}
	if err := c.JSON(&said); err != nil || said.ID == "" || len(said.ID) > 255 {
		return nil, "", &task.Failure{Kind: task.BadAnswer, Executed: task.NotExecuted, Message: "the callback names no job", Cause: err}
	}
	h, ok := formed(c.Of.Endpoint, string(said.ID))
	if !ok {
		return nil, "", &task.Failure{Kind: task.Internal, Executed: task.NotExecuted, Message: "the call was made to no model"}
	}
	return provider.WriteHandle(h), h.ID, nil
}

func signed(c provider.Callback, now time.Time) bool {
	h, keys := c.Header, c.Secret.Reveal()
	at, err := strconv.ParseInt(h.Get("X-Fal-Webhook-Timestamp"), 10, 64)
	if err != nil || now.Sub(time.Unix(at, 0)).Abs() > drift {
		return false
	}
	sum := sha256.Sum256(c.Body)
	text := strings.Join([]string{h.Get("X-Fal-Webhook-Request-Id"), h.Get("X-Fal-Webhook-User-Id"), h.Get("X-Fal-Webhook-Timestamp"), hex.EncodeToString(sum[:])}, "\n")
	signature, err := hex.DecodeString(h.Get("X-Fal-Webhook-Signature"))
	if err != nil {
		return false
	}
	for key := range strings.SplitSeq(keys, ",") {
		public, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(strings.TrimSpace(key), "="))
		if err == nil && len(public) == ed25519.PublicKeySize && ed25519.Verify(public, []byte(text), signature) {
			return true
		}
	}
	return false
}
