package provider_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
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
		executed task.Executed
	}{
		100: {task.BadAnswer, task.Maybe}, 206: {task.BadAnswer, task.Maybe}, 299: {task.BadAnswer, task.Maybe}, 304: {task.BadAnswer, task.Maybe},
		400: {task.Invalid, task.No}, 404: {task.Invalid, task.No}, 405: {task.Invalid, task.No}, 409: {task.Invalid, task.No}, 413: {task.Invalid, task.No}, 415: {task.Invalid, task.No}, 422: {task.Invalid, task.No},
		401: {task.Auth, task.No}, 403: {task.Auth, task.No}, 402: {task.Billing, task.No}, 429: {task.RateLimited, task.No}, 408: {task.Timeout, task.Maybe},
		500: {task.ProviderError, task.Maybe}, 502: {task.ProviderError, task.Maybe}, 503: {task.ProviderError, task.Maybe}, 504: {task.ProviderError, task.Maybe}, 529: {task.ProviderError, task.Maybe},
	}
	for status, w := range want {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			failure(t, provider.Faults{}.Failure(provider.Reply{Status: status}, ""), w.kind, w.executed)
		})
	}
}

func TestFaults(t *testing.T) {
	table := provider.Faults{
		{Code: "Busy.Plan", Kind: task.Billing, Executed: task.No},
		{Code: "Busy*", Kind: task.Unavailable, Executed: task.No, Next: "Wait"},
		{Status: 409, Kind: task.ProviderError, Executed: task.Maybe},
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
