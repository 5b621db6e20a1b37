package provider_test

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"net/url"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/easelqueue/easel/provider"
)

// odd holds every character that some spelling writes otherwise.
const odd = `&"<>/+=%é中 '\`

// spellings are the ways in which a text may repeat a secret.
func spellings(secret string) map[string]string {
	quoted, _ := json.Marshal(secret)
	whole := string(quoted[1 : len(quoted)-1])
	bare := strings.NewReplacer(`\u0026`, "&", `\u003c`, "<", `\u003e`, ">").Replace(whole)
	var units, upper, decimal, hexadecimal, open, percents, lower, c strings.Builder
	for i, r := range secret {
		for _, u := range utf16.Encode([]rune{r}) {
			fmt.Fprintf(&units, `\u%04x`, u)
			fmt.Fprintf(&upper, `\u%04X`, u)
		}
		fmt.Fprintf(&decimal, "&#%d;", r)
		fmt.Fprintf(&hexadecimal, "&#x%X;", r)
		if i%2 == 0 {
			fmt.Fprintf(&open, "&#%03d;", r)
		} else {
			open.WriteRune(r)
		}
	}
	for i := range len(secret) {
		fmt.Fprintf(&percents, "%%%02X", secret[i])
		fmt.Fprintf(&lower, "%%%02x", secret[i])
		fmt.Fprintf(&c, `\x%02x`, secret[i])
	}
	again, _ := json.Marshal(whole)
	all := map[string]string{
		"as it is": secret, "JSON": whole, "JSON with bare signs": bare, "JSON with slashes escaped": strings.ReplaceAll(whole, "/", `\/`),
		"JSON of units alone": units.String(), "JSON of units in capitals": upper.String(), "JSON in JSON": string(again[1 : len(again)-1]),
		"HTML": html.EscapeString(secret), "HTML in decimals": decimal.String(), "HTML in hex": hexadecimal.String(), "HTML in part": open.String(),
		"HTML with names": strings.NewReplacer("&", "&amp;", `"`, "&quot;", "<", "&lt;", ">", "&gt;", "é", "&eacute;", "/", "&sol;", "'", "&apos;").Replace(secret),
		"HTML in JSON":    strings.ReplaceAll(html.EscapeString(strings.ReplaceAll(secret, `\`, `&#92;`)), "&", `\u0026`),
		"JSON in HTML":    html.EscapeString(whole),
		"a query":         url.QueryEscape(secret), "a path": url.PathEscape(secret), "an address": percents.String(), "an address in small letters": lower.String(),
		"an address in part": strings.ReplaceAll(url.PathEscape(secret), "%26", "&"), "an address in an address": url.QueryEscape(url.QueryEscape(secret)),
		"over lines": secret[:4] + "\n" + secret[4:], "with something invisible": secret[:3] + "\u200b\x00" + secret[3:],
		"hex": hex.EncodeToString([]byte(secret)), "Basic": "Basic " + base64.StdEncoding.EncodeToString([]byte("user:"+secret)),
	}
	for name, e := range map[string]*base64.Encoding{"standard": base64.StdEncoding, "standard, not padded": base64.RawStdEncoding, "for addresses": base64.URLEncoding, "for addresses, not padded": base64.RawURLEncoding} {
		all["base64, "+name] = e.EncodeToString([]byte(secret))
		for _, user := range []string{"a:", "ab:", "abc:"} {
			all["base64 of "+user+"password, "+name] = e.EncodeToString([]byte(user + secret))
		}
		all["base64 in JSON, "+name] = strings.ReplaceAll(e.EncodeToString([]byte(secret)), "/", `\/`)
		all["base64 in a query, "+name] = url.QueryEscape(e.EncodeToString([]byte(secret)))
	}
	return all
}

func TestASecretIsHiddenInEverySpelling(t *testing.T) {
	for _, secret := range []string{odd, `sk-&"7f3a<9c`, "a%41b&amp;c/d+e", `\u0041\\n"/x`, "sk-proj-7f3a9c51"} {
		for name, text := range spellings(secret) {
			t.Run(name+" of "+secret, func(t *testing.T) {
				for _, at := range []string{"the key (%s) is wrong", "%s", `{"message":"no such key: %s","n":1}`, "<p>%s</p>"} {
					around := strings.SplitN(at, "%s", 2)
					got := provider.Scrub(strings.Replace(at, "%s", text, 1), secret)
					rest := strings.TrimSuffix(strings.TrimPrefix(got, around[0]), around[1])
					if !strings.HasPrefix(got, around[0]) || !strings.HasSuffix(got, around[1]) || strings.Trim(strings.TrimPrefix(rest, "Basic "), "*%3Dd=") != "" {
						t.Errorf("%q is shown as %q", text, got)
					}
				}
			})
		}
	}
}

func TestOrdinaryTextStaysAsItIs(t *testing.T) {
	for _, text := range []string{
		`100% of the pictures & a "fox" at C:\new\table; a < b > c`, "a basic understanding of bearer tokens. Basic plan", "50%25 off &amp; &nbsp; &unknown; &", `\u12 \x \`,
		"seed=7 key=value token: yes", "状态未知：排队中 100％", `{"error":{"code":"invalid","message":"no"}}`, "the sketch&sketches", "dGhpcyBpcyBub3QgaXQ=",
	} {
		if got := provider.Scrub(text, odd, "sk-7f3a9c51"); got != text {
			t.Errorf("%q became %q", text, got)
		}
	}
}

func TestSignedAddressesAreHidden(t *testing.T) {
	for _, text := range []string{
		"https://h.test/a.png?X-Amz-Signature=5ecre7", `https:\/\/h.test\/a.png?sig=5ecre7`, "/a.png?x=1&Signature=5ecre7", "/a?Policy=5ecre7&Key-Pair-Id=5ecre7",
		`?a=1\u0026token=5ecre7`, "?a=1&amp;x-oss-signature=5ecre7", "%3Fx%3D1%26sig%3D5ecre7", "?access_token=5ecre7", "https://u:5ecre7@h.test/", "?q-signature=5ecre7&q-ak=5ecre7",
		"Authorization: Bearer 5ecre7", "authorization=basic+5ecre7==",
	} {
		if got := provider.Scrub(text); strings.Contains(got, "5ecre7") {
			t.Errorf("%q is shown as %q", text, got)
		}
	}
}

// Texts that look like escapes everywhere are the slowest. 64 kB of them take about 50 ms.
func TestScrubbingTakesNoLongerThanItsText(t *testing.T) {
	secrets := []string{strings.Repeat("%&", 20) + `\`, "sk-7f3a9c51d2e8", "aaaaaaaaaaaaaaaaaaaaaaaab"}
	for _, piece := range []string{"%25", "&amp;", `\u0026`, "%", "&", `\`, "a", "%&", "&#38;%26", "https://", "?"} {
		text := strings.Repeat(piece, (64<<10)/len(piece))
		began := time.Now()
		provider.Scrub(text, secrets...)
		if took := time.Since(began); took > 20*time.Second {
			t.Errorf("64 kB of %q took %s", piece, took)
		} else {
			t.Logf("%q %s", piece, took)
		}
	}
}

func TestLongTextsAreScrubbedToABound(t *testing.T) {
	const secret = "sk-0123456789abcdef0123"
	long := strings.Repeat("a word ", 1<<20)
	began := time.Now()
	if text := provider.Scrub(long, secret); len(text) > 2<<10 || time.Since(began) > time.Minute {
		t.Errorf("%d bytes after %s", len(text), time.Since(began))
	}
	for at := 1; at < len(secret); at++ { // a picture that shrinks to nothing, and a secret that the bound halves
		head := "data:image/png;base64,"
		text := head + strings.Repeat("A", 256<<10-len(head)-1-at) + " " + secret + " more"
		if got := provider.Scrub(text, secret); strings.Contains(got, "sk-") || strings.Contains(got, secret[:at]) && at > 2 {
			t.Fatalf("%d characters of the secret are shown: %q", at, got)
		}
	}
}

func TestTheSourceOfAPictureHoldsNoSecret(t *testing.T) {
	const secret = "sk-0123456789abcdef0123"
	p := provider.Scrubbed(links{address: "https://gw.test/files/" + secret + "/a.png?x=1"}, provider.Secret(secret))
	a, err := p.Submit(t.Context(), provider.Call{})
	if err != nil || len(a.Outputs) != 1 {
		t.Fatalf("%+v, %v", a, err)
	}
	if o := a.Outputs[0]; !strings.Contains(o.URL, secret) || strings.Contains(o.Source, secret) || !strings.HasPrefix(o.Source, "https://gw.test/files/") || strings.Contains(o.Source, "x=1") {
		t.Errorf("%q from %q", o.Source, o.URL)
	}
}

// links is a provider whose picture lies under an address.
type links struct {
	provider.Sync
	address string
}

func (l links) Submit(context.Context, provider.Call) (provider.Answer, error) {
	return provider.Answer{Done: true, Outputs: []provider.Output{{URL: l.address}}}, nil
}

func (links) Capabilities(string) provider.Capabilities { return provider.Capabilities{} }

func (links) Prepare(provider.Request) (provider.Call, error) { return provider.Call{}, nil }
