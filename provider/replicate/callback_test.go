package replicate

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/task"
)

func TestReadCallback(t *testing.T) {
	now := time.Unix(1_795_300_000, 0)
	key := []byte("0123456789abcdef")
	secret := provider.Secret("whsec_" + base64.StdEncoding.EncodeToString(key))
	const body = `{"id":"p1","status":"succeeded","output":["https://evil.test/1.png"],"urls":{"get":"https://evil.test/p1"}}`
	sign := func(at time.Time, body string) http.Header {
		mac := hmac.New(sha256.New, key)
		fmt.Fprintf(mac, "msg_1.%d.%s", at.Unix(), body)
		return http.Header{"Webhook-Id": {"msg_1"}, "Webhook-Timestamp": {fmt.Sprint(at.Unix())},
			"Webhook-Signature": {"v1,AAAA v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))}}
	}
	a := adapter(t, "https://api.replicate.test/v1")
	a.api.Client.Now = func() time.Time { return now }
	for claim, c := range map[string]struct {
		header http.Header
		body   string
		secret provider.Secret
		kind   task.Kind
	}{
		"A signed one is taken":                        {sign(now, body), body, secret, ""},
		"One without a secret to check is a hint":      {nil, body, "", ""},
		"One that is not signed is refused":            {nil, body, secret, task.Auth},
		"One that was changed is refused":              {sign(now, body), body + " ", secret, task.Auth},
		"An old one is refused":                        {sign(now.Add(-6*time.Minute), body), body, secret, task.Auth},
		"One from the future is refused":               {sign(now.Add(6*time.Minute), body), body, secret, task.Auth},
		"A secret that is none takes nothing":          {sign(now, body), body, "whsec", task.Auth},
		"One that names no prediction is refused":      {nil, `{"status":"succeeded"}`, "", task.BadAnswer},
		"One whose id would lead elsewhere is refused": {nil, `{"id":"../account"}`, "", task.BadAnswer},
	} {
		t.Run(claim, func(t *testing.T) {
			raw, job, err := a.ReadCallback(provider.Callback{Header: c.header, Body: []byte(c.body), Secret: c.secret})
			if f := task.AsFailure(err); c.kind != "" {
				if f == nil || f.Kind != c.kind {
					t.Errorf("got %v", err)
				}
				return
			}
			var h handle
			if err != nil || job != "p1" || provider.ReadHandle(raw, "replicate", version, &h) != nil || h.Get != "/predictions/p1" {
				t.Errorf("%s, %s, %v", raw, job, err)
			}
		})
	}
}
