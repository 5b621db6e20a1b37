package task

import (
	"encoding/json"
	"strings"
)

// Whoever may look at a task need not be able to fetch from its provider. The
// rows keep whole addresses; what people and programs are shown does not.

// HideSignature takes off SourceURL its query, which is what signs such addresses.
func (r *Result) HideSignature() { r.SourceURL = unsigned(r.SourceURL) }

// HideSignatures takes the queries off the addresses in Answer, and leaves out
// the pictures in it. An answer that cannot be read is left out altogether.
func (a *Attempt) HideSignatures() {
	if a.Answer == "" {
		return
	}
	var whole map[string]json.RawMessage
	var outputs []map[string]any
	if json.Unmarshal([]byte(a.Answer), &whole) != nil || json.Unmarshal(whole["outputs"], &outputs) != nil {
		a.Answer = ""
		return
	}
	for _, o := range outputs {
		delete(o, "bytes")
		if address, ok := o["url"].(string); ok {
			o["url"] = unsigned(address)
		}
	}
	shown, err := json.Marshal(outputs)
	if err != nil {
		a.Answer = ""
		return
	}
	whole["outputs"] = shown
	text, err := json.Marshal(whole)
	if err != nil {
		text = nil
	}
	a.Answer = string(text)
}

func unsigned(address string) string {
	address, _, _ = strings.Cut(address, "?")
	return address
}
