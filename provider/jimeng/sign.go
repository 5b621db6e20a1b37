package jimeng

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
	"time"
)

// Scope of the signatures: where the visual API is.
const (
	region  = "cn-north-1"
	service = "cv"
)

// credential is an account's pair of keys.
type credential struct{ id, secret string }

// sign signs a POST of body to host with that query, by Volcengine's V4: an HMAC
// chain over day, region and service, from the plain secret, signs the digest of
// the request in its canonical form.
func (c credential) sign(h http.Header, host, query string, body []byte, now time.Time) {
	stamp := now.UTC().Format("20060102T150405Z")
	digest := hexSum(body)
	h.Set("X-Date", stamp)
	h.Set("X-Content-Sha256", digest)
	h.Set("Content-Type", "application/json")
	const signed = "content-type;host;x-content-sha256;x-date"
	canonical := strings.Join([]string{http.MethodPost, "/", query,
		"content-type:application/json", "host:" + host, "x-content-sha256:" + digest, "x-date:" + stamp, "", signed, digest}, "\n")
	scope := strings.Join([]string{stamp[:8], region, service, "request"}, "/")
	text := strings.Join([]string{"HMAC-SHA256", stamp, scope, hexSum([]byte(canonical))}, "\n")
	key := []byte(c.secret)
	for _, part := range []string{stamp[:8], region, service, "request"} {
		key = mac(key, part)
	}
	h.Set("Authorization", "HMAC-SHA256 Credential="+c.id+"/"+scope+", SignedHeaders="+signed+", Signature="+hex.EncodeToString(mac(key, text)))
}

func mac(key []byte, text string) []byte {
	m := hmac.New(sha256.New, key)
	m.Write([]byte(text))
	return m.Sum(nil)
}

func hexSum(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
