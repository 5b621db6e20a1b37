package provider_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/provider/providertest"
	"github.com/easelqueue/easel/task"
)

func TestStatusesWithoutATable(t *testing.T) {
	want := map[int]struct {
		kind     task.Kind
		executed task.Execution
	}{
		100: {task.BadAnswer, task.Unknown}, 206: {task.BadAnswer, task.Unknown}, 299: {task.BadAnswer, task.Unknown}, 304: {task.BadAnswer, task.Unknown},
		400: {task.Invalid, task.NotExecuted}, 404: {task.Invalid, task.NotExecuted}, 405: {task.Invalid, task.NotExecuted}, 409: {task.Invalid, task.NotExecuted}, 413: {task.Invalid, task.NotExecuted}, 415: {task.Invalid, task.NotExecuted}, 422: {task.Invalid, task.NotExecuted},
		401: {task.Auth, task.NotExecuted}, 403: {task.Auth, task.NotExecuted}, 402: {task.Billing, task.NotExecuted}, 429: {task.RateLimited, task.NotExecuted}, 408: {task.Timeout, task.Unknown},
		500: {task.ProviderError, task.Unknown}, 502: {task.ProviderError, task.Unknown}, 503: {task.ProviderError, task.Unknown}, 504: {task.ProviderError, task.Unknown}, 529: {task.ProviderError, task.Unknown},
	}
	for status, w := range want {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			failure(t, provider.Faults{}.Failure(provider.Reply{Status: status}, ""), w.kind, w.executed)
		})
	}
}

func TestFaults(t *testing.T) {
	table := provider.Faults{
		{Code: "Busy.Plan", Kind: task.Billing, Executed: task.NotExecuted},
		{Code: "Busy*", Kind: task.Unavailable, Executed: task.NotExecuted, Advice: task.Wait},
		{Status: 409, Kind: task.ProviderError, Executed: task.Unknown},
	}
	for _, c := range []struct {
		claim  string
		status int
		codes  []string
		kind   task.Kind
	}{
		{"A code counts before its status", 500, []string{"Busy"}, task.Unavailable},
		{"A star stands for any rest", 400, []string{"Busy.Queue"}, task.Unavailable},
		{"An earlier row counts before a later one", 400, []string{"Busy.Plan"}, task.Billing},
		{"A second code counts where the first is unknown", 400, []string{"new", "Busy"}, task.Unavailable},
		{"A status of the table counts before the common one", 409, []string{"new"}, task.ProviderError},
		{"What no row names is judged by its status", 404, []string{"", "new"}, task.Invalid},
		{"An empty code is no code", 404, []string{""}, task.Invalid},
	} {
		t.Run(c.claim, func(t *testing.T) {
			if f := table.Failure(provider.Reply{Status: c.status}, "why", c.codes...); f.Kind != c.kind || f.Detail != "why" {
				t.Errorf("got %#v; want %s", f, c.kind)
			}
		})
	}
}

func TestScrub(t *testing.T) {
	const key = `k&y"7f3a`
	for _, c := range []struct{ claim, text, want string }{
		{"A secret", "key " + key + "!", "key ***!"},
		{"A secret in a URL's form", "key k%26y%227f3a!", "key ***!"},
		{"A secret in JSON's form", `key k\u0026y\"7f3a!`, "key ***!"},
		{"A secret with invisible characters between", "key k&\x00y\u200b\"7f3a!", "key ***!"},
		{"A bearer token", "Authorization: Bearer abcdef.123", "Authorization: Bearer ***"},
		{"A query", "see https://h.test/a?sig=1&b=2 and more", "see https://h.test/a?*** and more"},
		{"A user name", "https://u:p@h.test/a", "https://h.test/a"},
		{"A data URL", "bad data:image/png;base64,iVBOR=== here", "bad data:*** here"},
		{"Line ends and escapes", "a\r\nb\x1b[31mc\x00", "a  b[31mc"},
		{"Text that turns its direction", "a\u202eb", "ab"},
		{"Bytes that are no text", "a\xff\xfeb", "ab"},
	} {
		t.Run(c.claim, func(t *testing.T) {
			if got := provider.Scrub(c.text, "", key); got != c.want {
				t.Errorf("got %q; want %q", got, c.want)
			}
		})
	}
	t.Run("Two kilobytes are kept, in whole characters", func(t *testing.T) {
		got := provider.Scrub(strings.Repeat("语", 5000))
		if len(got) > 2048 || len(got) < 2040 || !utf8.ValidString(got) {
			t.Errorf("%d bytes, valid %t", len(got), utf8.ValidString(got))
		}
	})
}

func TestKeepHidesTheKey(t *testing.T) {
	const key = `sk-1"<&7f3a`
	quoted, _ := json.Marshal(key)
	s, c := service(t, providertest.Answers(http.StatusOK, `{"usage":{"note":`+string(quoted)+`}}`))
	r := post(s.URL, "{}")
	r.Secrets = []string{key}
	reply, err := c.Do(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	var body map[string]json.RawMessage
	if err := reply.JSON(&body); err != nil {
		t.Fatal(err)
	}
	if got := string(reply.Keep(body)); got != `{"usage":{"note":"***"}}` {
		t.Errorf("kept %s", got)
	}
	if got := reply.Keep(strings.Repeat("x", 64<<10)); got != nil {
		t.Errorf("kept %d bytes", len(got))
	}
	if got := reply.Keep(nil); got != nil {
		t.Errorf("nothing is kept as %q", got)
	}
}

func TestSecretPrintsAsStars(t *testing.T) {
	holder := struct {
		Key provider.Secret
		Ref *provider.Secret
	}{"sk-7f3a", new(provider.Secret("sk-7f3a"))}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("start", "key", holder.Key, "all", holder)
	encoded, _ := json.Marshal(holder)
	text := log.String() + string(encoded) + fmt.Sprint(holder, holder.Key, string(encoded))
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%10s"} {
		text += fmt.Sprintf(verb, holder.Key) + fmt.Sprintf(verb, holder) + fmt.Sprintf(verb, []provider.Secret{holder.Key})
	}
	for _, form := range []string{"sk-7f3a", "736b2d37", "736B2D37"} {
		if strings.Contains(text, form) {
			t.Errorf("the secret is shown as %s in %s", form, text)
		}
	}
	if holder.Key.Reveal() != "sk-7f3a" || provider.Secret("").String() != "" {
		t.Error("a secret is lost, or none is shown as one")
	}
	for _, bad := range []provider.Secret{"", "a b", "a\n", "ключ"} {
		if err := bad.Check(); err == nil {
			t.Errorf("%q is accepted", bad.Reveal())
		}
	}
}

func TestWhoAnswers(t *testing.T) {
	table := provider.Faults{
		{Code: "server_error", Kind: task.ProviderError, Executed: task.Executed, Unbilled: true},
		{Status: 503, Kind: task.ProviderError, Executed: task.Executed, Unbilled: true},
	}
	const page = "<html><body>nginx</body></html>"
	for _, c := range []struct {
		claim    string
		status   int
		body     string
		code     string
		kind     task.Kind
		executed task.Execution
		unbilled bool
	}{
		{"The service's own words that it failed are believed", 500, `{"error":{}}`, "server_error", task.ProviderError, task.Executed, true},
		{"A status that the table names is believed", 503, `{"detail":"try again"}`, "", task.ProviderError, task.Executed, true},
		{"The same words behind a 502 are a gateway's", 502, `{"error":{}}`, "server_error", task.ProviderError, task.Unknown, false},
		{"The same words behind a 504 are a gateway's", 504, `{"error":{}}`, "server_error", task.ProviderError, task.Unknown, false},
		{"The same words behind a 520 are a gateway's", 520, `{"error":{}}`, "server_error", task.ProviderError, task.Unknown, false},
		{"The same words behind a 526 are a gateway's", 526, `{"error":{}}`, "server_error", task.ProviderError, task.Unknown, false},
		{"A web page is a gateway's, whatever its status", 503, " \n" + page, "", task.ProviderError, task.Unknown, false},
		{"A web page is a gateway's, at 500 too", 500, page, "", task.ProviderError, task.Unknown, false},
		{"A plain text is a gateway's, where the status alone speaks", 503, "upstream connect error or disconnect/reset before headers", "", task.ProviderError, task.Unknown, false},
		{"An empty body is a gateway's", 503, " ", "", task.ProviderError, task.Unknown, false},
		{"A 403 page was written before the service was asked", 403, page, "", task.Unavailable, task.NotExecuted, false},
		{"A 200 that is a page leaves everything open", 200, page, "", task.BadAnswer, task.Unknown, false},
	} {
		t.Run(c.claim, func(t *testing.T) {
			f := table.Failure(provider.Reply{Status: c.status, Body: []byte(c.body)}, "", c.code)
			if f.Kind != c.kind || f.Executed != c.executed || f.Unbilled != c.unbilled {
				t.Errorf("%s, executed %s, unbilled %t", f.Kind, f.Executed, f.Unbilled)
			}
		})
	}
}

func TestModelRefused(t *testing.T) {
	for _, c := range []struct {
		status int
		text   string
		model  bool
	}{
		{403, "Your organization must be verified to use the model `gpt-image-1`. Please go to: https://platform.openai.com/settings", true},
		{403, "Project `proj_1` does not have access to model `gpt-image-1`", true},
		{404, "The model `dall-e-9` does not exist or you do not have access to it.", true},
		{400, "model: unknown model brush-9", true},
		{404, "models/gemini-9-image is not found for API version v1beta, or is not supported for generateContent.", true},
		{503, "当前分组 default 下对于模型 gpt-image-1 无可用渠道", true},
		{400, "The model `gpt-image-1` does not support parameter n above 10", false},
		{400, "Invalid size for this model", false},
		{429, "The model `x` does not exist", false},
		{500, "unknown model", false},
	} {
		t.Run(c.text, func(t *testing.T) {
			f := provider.Faults{}.Failure(provider.Reply{Status: c.status, Body: []byte(`{"detail":"x"}`)}, c.text)
			if got := f.OfModel && f.Kind == task.Unsupported && f.Executed == task.NotExecuted; got != c.model {
				t.Errorf("%s, executed %s, of the model %t", f.Kind, f.Executed, f.OfModel)
			}
			if c.model && !f.MayFallBack() {
				t.Error("no other provider is asked")
			}
		})
	}
}

func TestErrorsWithin200(t *testing.T) {
	table := provider.Faults{{Code: "1102", Kind: task.RateLimited, Executed: task.NotExecuted}, {Code: "own_fault", Kind: task.ProviderError, Executed: task.Executed, Unbilled: true}}
	for _, c := range []struct {
		claim, body string
		kind        task.Kind
		executed    task.Execution
		code        string
	}{
		{"A text", `{"error": "insufficient balance"}`, task.Billing, task.NotExecuted, ""},
		{"An object", `{"error":{"message":"bad luck","code":"odd_error"},"data":null}`, task.ProviderError, task.Unknown, "odd_error"},
		{"An object whose code is a number", `{"error":{"message":"invalid token","code":1004},"data":[]}`, task.Auth, task.NotExecuted, "1004"},
		{"A code that is a number", `{"code": 1234, "message": "bad luck"}`, task.ProviderError, task.Unknown, "1234"},
		{"An error that names its place", `{"detail":[{"loc":["body","n"],"msg":"quota exceeded","type":"value_error"}],"success":false}`, task.ProviderError, task.Unknown, ""},
		{"A status that says the same", `{"code":"1001","status":"failed","message":"insufficient quota"}`, task.Billing, task.NotExecuted, "1001"},
		{"Unknown words", `{"error":"bad luck"}`, task.ProviderError, task.Unknown, ""},
		{"Words of a gateway that lost the service", `{"error":"upstream timeout 524"}`, task.ProviderError, task.Unknown, ""},
		{"Words of a gateway beside a code of the service's", `{"error":{"message":"context deadline exceeded while waiting for upstream","code":"own_fault"}}`, task.ProviderError, task.Unknown, "own_fault"},
		{"A failure of the service's own, which is billed as the 200 that it is", `{"error":{"message":"inside","code":"own_fault"}}`, task.ProviderError, task.Unknown, "own_fault"},
		{"Words of a gateway before those of an account", `{"error":{"message":"upstream error: 524 A timeout occurred, quota kept","code":"bad_response_status_code"}}`, task.ProviderError, task.Unknown, "bad_response_status_code"},
		{"Not a job in another spelling", `{"code":1202,"message":"quota accepted","taskId":"t1"}`, task.BadAnswer, task.Unknown, ""},
		{"Not a job as the result", `{"code":2,"msg":"quota","result":"123"}`, task.BadAnswer, task.Unknown, ""},
		{"Not an address as the output", `{"code":1001,"message":"quota","output":"https://cdn/x.png"}`, task.BadAnswer, task.Unknown, ""},
		{"Not an address as the image", `{"success":false,"message":"quota","image":"https://cdn/x.png"}`, task.BadAnswer, task.Unknown, ""},
		{"Not an address as the message", `{"code":1001,"error":"quota","message":"https://cdn/x.png"}`, task.BadAnswer, task.Unknown, ""},
		{"Not an address within the error", `{"error":{"message":"quota","url":"https://cdn/x.png"}}`, task.BadAnswer, task.Unknown, ""},
		{"Not a job that goes on", `{"code":1001,"message":"quota","status":"queued"}`, task.BadAnswer, task.Unknown, ""},
		{"Not a call that was taken", `{"code":2,"msg":"queued"}`, task.BadAnswer, task.Unknown, ""},
		{"Not a code of acceptance", `{"code":202,"message":"quota kept"}`, task.BadAnswer, task.Unknown, ""},
		{"Not an error before a document that breaks off", `{"code":1002,"message":"quota"}` + "\n" + `{"data":[{"b64_json":"iVBOR`, task.BadAnswer, task.Unknown, ""},
		{"A code that the table names", `{"code": 1102, "message": "bad luck", "data": {}}`, task.RateLimited, task.NotExecuted, "1102"},
		{"A code that is a text", `{"code":"quota_used","msg":"用户额度不足","request_id":"r-1"}`, task.Billing, task.NotExecuted, "quota_used"},
		{"No success, which may be for the finished picture", `{"success": false, "message": "敏感词"}`, task.Moderated, task.Executed, ""},
		{"A list of errors", `{"errors":["too many requests"]}`, task.RateLimited, task.NotExecuted, ""},
		{"Not an error beside something that may be a picture", `{"error":{"message":"quota"},"data":[{"b64_json":"%%"}]}`, task.BadAnswer, task.Unknown, ""},
		{"Not an error beside a job", `{"error":{"message":"quota"},"id":"job-1"}`, task.BadAnswer, task.Unknown, ""},
		{"Not a success with words", `{"code": 0, "message": "success"}`, task.BadAnswer, task.Unknown, ""},
		{"Not an error that is null", `{"error": null}`, task.BadAnswer, task.Unknown, ""},
		{"Not long text", `{"code": 7, "message": "quota", "image": "` + strings.Repeat("A", 2000) + `"}`, task.BadAnswer, task.Unknown, ""},
	} {
		t.Run(c.claim, func(t *testing.T) {
			r := answeredBy(t, table, c.body)
			var into struct{ Data []struct{ URL int } }
			failures := map[string]*task.Failure{"Bad": r.Bad("no picture")}
			if err := r.JSON(&struct {
				Error *int
				Code  *[]int
				Data  []struct{ B64 int }
			}{}); err != nil {
				failures["JSON"] = task.AsFailure(err)
			}
			if json.Unmarshal(r.Body, &into) == nil {
				_, err := r.Done(nil, nil)
				failures["Done"] = task.AsFailure(err)
			}
			for by, f := range failures {
				if f.Kind != c.kind || f.Executed != c.executed || f.Code != c.code {
					t.Errorf("%s: %s, executed %s, code %q: %v", by, f.Kind, f.Executed, f.Code, f)
				}
			}
		})
	}
}

// answeredBy is the reply of a service with that table that answers 200 with body.
func answeredBy(t *testing.T, table provider.Faults, body string) provider.Reply {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, body) }))
	t.Cleanup(s.Close)
	r, err := (&provider.Client{HTTP: s.Client()}).Do(t.Context(), provider.HTTPRequest{Method: "POST", URL: s.URL, Body: []byte("{}"), Faults: table})
	if err != nil {
		t.Fatal(err)
	}
	return r
}
