package replicate

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/task"
)

// drift is how far the time in a signature may be from ours.
const drift = 5 * time.Minute

var predictionID = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// ReadCallback reads a callback, which is the prediction. Its secret is that of
// GET /webhooks/default/secret: the webhook-signature must then hold, beside its
// version, the base64 HMAC-SHA256 of id, time and body, joined by dots, under the
// base64 after the secret's underscore.
func (a *Adapter) ReadCallback(c provider.Callback) (json.RawMessage, string, error) {
	if c.Secret != "" && !signed(c, a.api.Client.Time()) {
		return nil, "", &task.Failure{Kind: task.Auth, Executed: task.NotExecuted, Message: "the callback is not signed with the account's secret, or not now"}
	}
	var p prediction
	if err := c.JSON(&p); err != nil || !predictionID.MatchString(string(p.ID)) {
		return nil, "", &task.Failure{Kind: task.BadAnswer, Executed: task.NotExecuted, Message: "the callback names no prediction", Cause: err}
	}
	return provider.WriteHandle(handleOf(string(p.ID))), string(p.ID), nil
}

func signed(c provider.Callback, now time.Time) bool {
	id, stamp := c.Header.Get("Webhook-Id"), c.Header.Get("Webhook-Timestamp")
	at, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil || now.Sub(time.Unix(at, 0)).Abs() > drift {
		return false
	}
	_, encoded, _ := strings.Cut(c.Secret.Reveal(), "_")
	key, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil || len(key) == 0 {
		return false
	}
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(id + "." + stamp + "."))
	mac.Write(c.Body)
	for _, item := range strings.Fields(c.Header.Get("Webhook-Signature")) {
		_, signature, _ := strings.Cut(item, ",")
		given, err := base64.StdEncoding.DecodeString(signature)
		if err == nil && hmac.Equal(given, mac.Sum(nil)) {
			return true
		}
	}
	return false
}
