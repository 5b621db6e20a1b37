package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/easelqueue/easel/internal/config"
	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/provider/providertest"
	"github.com/easelqueue/easel/task"
)

// oddKey holds what JSON, HTML and addresses write otherwise, and a part that they do not.
const oddKey = `sk&"<>/+=%'\7f3a9c51d2`

// respelled is how a service may repeat a key.
func respelled(key string) []string {
	var units strings.Builder
	for _, r := range key {
		fmt.Fprintf(&units, `\u%04x`, r)
	}
	_, password, _ := strings.Cut(key, ":")
	return []string{key, units.String(), html.EscapeString(key), strings.ToLower(url.QueryEscape(key)),
		base64.StdEncoding.EncodeToString([]byte(key)), base64.RawURLEncoding.EncodeToString([]byte("user:" + or(password, key))),
		strings.ReplaceAll(key, "+", " "), strings.ToUpper(key), key[:len(key)-1], key[3:]}
}

// leak returns what of the spellings text holds, as it is or quoted.
func leak(text, key string) string {
	if part := "7f3a9c51d"; strings.Contains(key, part) && strings.Contains(strings.ToLower(text), part) {
		return part
	}
	for _, s := range respelled(key) {
		quoted, _ := json.Marshal(s)
		if strings.Contains(text, s) || strings.Contains(text, string(quoted[1:len(quoted)-1])) {
			return s
		}
	}
	return ""
}

// echoing returns good answers in which one text after the other ends with what.
func echoing(good []byte, what string) (all []string) {
	var whole any
	if json.Unmarshal(good, &whole) != nil {
		return nil
	}
	for i := 0; ; i++ {
		seen := 0
		changed := changeText(whole, func(text string) string {
			if seen++; seen == i+1 {
				return text + " " + what
			}
			return text
		})
		if seen <= i {
			return all
		}
		body, _ := json.Marshal(changed)
		all = append(all, string(body))
	}
}

// changeText returns v with each text in it changed, in a fixed order.
func changeText(v any, change func(string) string) any {
	switch v := v.(type) {
	case string:
		return change(v)
	case []any:
		other := make([]any, len(v))
		for i := range v {
			other[i] = changeText(v[i], change)
		}
		return other
	case map[string]any:
		other := make(map[string]any)
		for _, name := range slices.Sorted(mapsKeys(v)) {
			other[name] = changeText(v[name], change)
		}
		return other
	}
	return v
}

func mapsKeys(m map[string]any) func(func(string) bool) {
	return func(yield func(string) bool) {
		for name := range m {
			if !yield(name) {
				return
			}
		}
	}
}

// forPeople is all that an adapter says and that somebody may see.
func forPeople(a provider.Answer, err error) string {
	a.Handle = nil
	outputs := slices.Clone(a.Outputs)
	for i := range outputs {
		outputs[i].URL, outputs[i].Bytes = "", nil
	}
	a.Outputs = outputs
	said, _ := json.Marshal(a)
	failure, _ := json.Marshal(task.AsFailure(err))
	return string(said) + string(failure) + fmt.Sprint(err)
}

// badAnswers repeat the key in whatever a service says of an error.
func badAnswers(what string) (all []providertest.Behaviour) {
	quoted, _ := json.Marshal(what)
	text := string(quoted)
	for _, status := range []int{200, 400, 401, 404, 422, 429, 500} {
		all = append(all,
			providertest.Answers(status, `{"error":{"message":`+text+`,"code":`+text+`,"type":`+text+`},"code":`+text+`,"message":`+text+`,"detail":`+text+`,"request_id":`+text+`}`, "X-Request-Id", url.QueryEscape(what)),
			providertest.Answers(status, "<html><body><h1>"+what+"</h1></body></html>", "Content-Type", "text/html"))
	}
	return append(all, providertest.Answers(500, strings.Repeat(what+" ", 64<<10/len(what))))
}

func TestNoAdapterRepeatsItsKey(t *testing.T) {
	t.Parallel()
	for name, p := range plays {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			key := provider.Secret(or(strings.ReplaceAll(p.key, "pa55", oddKey), oddKey))
			server := providertest.Start(p.service)
			t.Cleanup(server.Close)
			kind := or(p.adapter, name)
			account := config.Account{Name: "main", Key: key, BaseURL: server.URL + p.path, Open: kindOf(kind).KeyOptional, Callbacks: true}
			switch name {
			case "midjourney":
				account.Options = map[string]string{"dialect": "trueai"}
			case "openai_jobs":
				account.Options = map[string]string{"async": "on"}
			}
			s, err := config.Provider{Name: name, Kind: kindOf(kind), Accounts: []config.Account{account}}.Service(&provider.Client{})
			if err != nil {
				t.Fatal(err)
			}
			echoes(t, server, s.Accounts[0].Provider, p, key.Reveal())
		})
	}
}

// echoes has the service repeat the key in every place of every answer.
func echoes(t *testing.T, server *providertest.Server, p provider.Provider, how played, key string) {
	request := provider.Request{Prompt: "a kite", Images: 1, Model: how.model()}
	call, err := p.Prepare(request)
	if err != nil {
		t.Fatal(err)
	}
	said := 0
	check := func(what string, a provider.Answer, err error) {
		t.Helper()
		said++
		if found := leak(forPeople(a, err), key); found != "" {
			t.Fatalf("%s: %q is in %s", what, found, forPeople(a, err))
		}
	}
	var good []byte
	server.Always(providertest.Behaviour{Bills: true, Serve: func(w http.ResponseWriter, _ *http.Request, answer []byte) { good = answer; w.Write(answer) }})
	begun, err := p.Submit(t.Context(), call)
	if err != nil {
		t.Fatal(err)
	}
	var polled []byte
	if !begun.Done {
		server.Waits(0)
		server.Asks(&providertest.Behaviour{Serve: func(w http.ResponseWriter, _ *http.Request, answer []byte) { polled = answer; w.Write(answer) }})
		if a, err := p.Poll(t.Context(), begun.Handle); err != nil || !a.Done {
			t.Fatalf("%v, done %t", err, a.Done)
		}
	}
	for _, what := range respelled(key) {
		behaviours := badAnswers(what)
		for _, body := range echoing(good, what) {
			behaviours = append(behaviours, providertest.Answers(http.StatusOK, body))
		}
		for _, b := range behaviours {
			server.Always(b)
			a, err := p.Submit(t.Context(), call)
			check("submit", a, err)
		}
		behaviours = badAnswers(what)
		for _, body := range echoing(polled, what) {
			behaviours = append(behaviours, providertest.Answers(http.StatusOK, body))
		}
		for _, b := range behaviours {
			if begun.Done {
				break
			}
			server.Asks(&b)
			a, err := p.Poll(t.Context(), begun.Handle)
			check("poll", a, err)
			check("cancel", provider.Answer{}, p.Cancel(t.Context(), begun.Handle))
		}
		id, _ := json.Marshal(map[string]string{"id": what, "request_id": what, "status": what})
		_, job, err := p.(provider.CallbackReader).ReadCallback(provider.Callback{Body: id, Of: provider.Lost{Endpoint: call.Endpoint}})
		check("callback", provider.Answer{JobID: job}, err)
	}
	if said < 100 {
		t.Errorf("only %d answers were looked at", said)
	}
}

// model is the one that the arguments name.
func (p played) model() string {
	if i := slices.Index(p.args, "--model"); i >= 0 {
		return p.args[i+1]
	}
	return "core"
}
