package provider

import (
	"bytes"
	"cmp"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/easelqueue/easel/task"
)

// maxWord is the longest text of an error that is believed to be words: whatever is
// longer may be a picture.
const maxWord = 4 << 10

// refused returns the failure that an answer with status 2xx consists of, or nil: many
// gateways refuse so. It names an error and nothing that could be a job or hold a
// picture. Whether something was drawn is said by the error alone.
func (r Reply) refused() *task.Failure {
	codes, text, ok := r.refusal()
	if !ok {
		return nil
	}
	f := r.faults.Failure(r, text, codes...)
	f.Message = "the provider refused, with status 200"
	if f.Executed == task.Unknown {
		f.Message = "the provider answered with an error, with status 200"
	}
	return f
}

// refusal reads the error of an answer with status 2xx that is nothing but an error.
func (r Reply) refusal() (codes []string, text string, ok bool) {
	var members map[string]json.RawMessage
	if !r.OK() || r.cut || len(r.Body) > maxErrorBody {
		return nil, "", false
	}
	documents := r.Documents()
	if len(documents) != 1 || json.Unmarshal(documents[0], &members) != nil {
		return nil, "", false
	}
	if before, behind, found := bytes.Cut(r.Body, documents[0]); !found || bytes.ContainsRune(before, '{') || bytes.ContainsRune(behind, '{') {
		return nil, "", false // another document, which broke off
	}
	if !onlyWords(members) {
		return nil, "", false
	}
	for _, name := range []string{"message", "msg", "error_description", "detail"} {
		if text == "" {
			text = plainText(members[name])
		}
	}
	code := plainText(members["code"])
	switch inner := members["error"]; {
	case holds(inner) && bytes.HasPrefix(inner, []byte("{")):
		c := Reply{Body: documents[0]}.Complaint()
		return []string{c.Code, c.Type, code}, cmp.Or(c.Text(), text, string(inner)), true
	case holds(inner) && strings.ContainsAny(plainText(inner), " ，。"): // a sentence
		return []string{code}, strings.TrimSpace(plainText(inner) + " " + text), true
	case holds(inner):
		return []string{code, plainText(inner)}, cmp.Or(text, plainText(inner), string(inner)), true
	case holds(members["errors"]):
		return []string{code}, cmp.Or(text, string(members["errors"])), true
	case plainText(members["success"]) == "false":
		return []string{code}, text, true
	}
	return []string{code}, text, text != "" && !fineCode(code) && (!welcomes(text) || known(text))
}

// The members of an answer that is nothing but an error: the error itself, which may be
// an object or a list of the same, and what stands beside it.
var (
	errorNames  = []string{"error", "errors", "message", "msg", "error_description", "detail", "details"}
	besideNames = []string{"code", "type", "param", "success", "request_id", "requestId", "created", "timestamp", "trace_id", "loc"}
)

// onlyWords reports whether every member that holds something belongs to an error. Any
// other may name a job or a picture, whatever it is called.
func onlyWords(members map[string]json.RawMessage) bool {
	for name, v := range members {
		switch {
		case !holds(v):
		case slices.Contains(errorNames, name):
			if !allWords(v) {
				return false
			}
		case name == "status":
			if !badStatus(plainText(v)) {
				return false
			}
		case !slices.Contains(besideNames, name), name != "loc" && isNested(v), !isWord(v):
			return false
		}
	}
	return true
}

// allWords reports whether an error consists of words, however deep they lie.
func allWords(v json.RawMessage) bool {
	switch kindOf(v) {
	case '[':
		return !slices.ContainsFunc(membersOf(v), func(member view) bool { return !allWords(json.RawMessage(member)) })
	case '{':
		var members map[string]json.RawMessage
		return json.Unmarshal(v, &members) == nil && onlyWords(members)
	}
	return isWord(v)
}

func isNested(v json.RawMessage) bool { return kindOf(v) == '{' || kindOf(v) == '[' }

// isWord reports whether a value is neither an address nor long enough for a picture.
func isWord(v json.RawMessage) bool {
	text := strings.TrimSpace(plainText(v))
	return len(v) <= maxWord && !NamesPicture(text) && !longRun.MatchString(text)
}

// badStatus reports whether a status beside an error says that nothing goes on.
func badStatus(status string) bool {
	status = strings.ToLower(status)
	if n, err := strconv.Atoi(status); err == nil {
		return n >= 400
	}
	for _, begins := range []string{"err", "fail", "reject", "invalid", "denied"} {
		if strings.HasPrefix(status, begins) {
			return true
		}
	}
	return false
}

// welcomes reports whether a text may say that the call was taken.
func welcomes(text string) bool {
	return containsAny(strings.ToLower(text), "accept", "queue", "submit", "process", "progress", "pending", "running", "generat", "draw",
		"created", "started", "success", "done", "complete", "finish", "ready", "成功", "排队", "提交", "处理", "生成", "完成")
}

// known reports whether a text says for certain that no picture comes.
func known(text string) bool { return spoken(text).Executed != task.Unknown }

func containsAny(text string, words ...string) bool {
	return slices.ContainsFunc(words, func(word string) bool { return strings.Contains(text, word) })
}

// holds reports whether the member says anything.
func holds(v json.RawMessage) bool {
	switch strings.Join(strings.Fields(string(v)), "") {
	case "", "null", `""`, "{}", "[]", "false", "0":
		return false
	}
	return true
}

// fineCode reports whether services call a success so.
func fineCode(code string) bool {
	switch code = strings.ToLower(code); code {
	case "", "0", "1", "102", "10000", "ok", "success":
		return true
	}
	return len(code) == 3 && code[0] == '2'
}
