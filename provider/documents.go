package provider

import (
	"bytes"
	"encoding/json"
	"slices"

	"github.com/easelqueue/easel/task"
)

// maxDocuments bounds of how many JSON documents one answer may consist.
const maxDocuments = 1000

// Documents returns the JSON documents of which the body consists, in order: one
// as a rule, and several of a stream that nobody asked for. A byte order mark,
// keep-alive comments, blank lines and the frames of server-sent events are left
// out, and so are what follows the last whole document, and texts and numbers that
// stand among objects or lists: a service's ping, or the end of its stream.
func (r Reply) Documents() []json.RawMessage {
	all := r.values()
	if found := slices.DeleteFunc(slices.Clone(all), isPlain); len(found) > 0 {
		return found
	}
	return all
}

func isPlain(document json.RawMessage) bool {
	kind := kindOf(document)
	return kind != '{' && kind != '['
}

// whole reports whether a body whose end did not come is all the same one JSON object
// or list.
func whole(body []byte) bool { return json.Valid(body) && !isPlain(bytes.TrimSpace(body)) }

// shows reports whether a document names a picture somewhere: by an address or by its content.
func shows(document json.RawMessage) bool {
	switch kindOf(document) {
	case '"':
		return bytes.Contains(document, []byte(markBegins)) || NamesPicture(plainText(document))
	case '[':
		return slices.ContainsFunc(membersOf(document), func(member view) bool { return shows(json.RawMessage(member)) })
	case '{':
		var members map[string]view
		json.Unmarshal(document, &members) // of a valid object: cannot fail
		for _, member := range members {
			if shows(json.RawMessage(member)) {
				return true
			}
		}
	}
	return false
}

// worthReading reports whether a document of an answer that has broken off says what was
// paid for, or how to ask after it.
func worthReading(document json.RawMessage) bool { return shows(document) || namesJob(document) }

// namesJob reports whether a document says by what a job is asked after.
func namesJob(document json.RawMessage) bool {
	var j struct {
		TaskID Text `json:"task_id"`
		ID     Text `json:"id"`
		Status Text `json:"status"`
	}
	return kindOf(document) == '{' && json.Unmarshal(document, &j) == nil && (j.TaskID != "" || j.ID != "" && j.Status != "")
}

// values returns the JSON values of the body, of whatever type.
func (r Reply) values() []json.RawMessage {
	body := bytes.TrimSpace(bytes.TrimPrefix(bytes.TrimSpace(r.Body), []byte("\xef\xbb\xbf")))
	if json.Valid(body) {
		return []json.RawMessage{body}
	}
	var found []json.RawMessage
	var event [][]byte // lines of data of the event that is being read
	for len(body) > 0 {
		line, rest, _ := bytes.Cut(body, []byte("\n"))
		name, data, named := bytes.Cut(bytes.TrimSpace(line), []byte(":"))
		switch {
		case !named && len(name) == 0: // a blank line
			found, event = appendEvent(found, event), nil
		case !named || !isFrame(string(name)):
			return appendValues(appendEvent(found, event), body)
		case string(name) == "data":
			event = append(event, bytes.TrimSpace(data))
		}
		body = rest
	}
	return appendEvent(found, event)
}

// isFrame reports whether a line of that name belongs to an event; one without a
// name is a comment.
func isFrame(name string) bool {
	switch name {
	case "", "event", "data", "id", "retry":
		return true
	}
	return false
}

// appendEvent adds the document of an event; where the lines of its data make none
// together, those lines that are one: some services forget the blank line between two.
func appendEvent(found []json.RawMessage, lines [][]byte) []json.RawMessage {
	if len(lines) > 1 {
		if whole := bytes.Join(lines, []byte("\n")); json.Valid(whole) {
			lines = [][]byte{whole}
		}
	}
	for _, line := range lines {
		if len(found) < maxDocuments && json.Valid(line) {
			found = append(found, line)
		}
	}
	return found
}

// appendValues adds the whole JSON values that stand at the beginning of body, one
// behind the other.
func appendValues(found []json.RawMessage, body []byte) []json.RawMessage {
	values := json.NewDecoder(bytes.NewReader(body))
	for len(found) < maxDocuments {
		var value json.RawMessage
		if values.Decode(&value) != nil {
			break
		}
		found = append(found, value)
	}
	return found
}

// JSON reads the callback's body as Reply.JSON reads an answer's.
func (c Callback) JSON(v any) error {
	if err := readable(c.Body); err != nil {
		return &task.Failure{Kind: task.BadAnswer, Executed: task.NotExecuted, Message: err.Error()}
	}
	return Reply{Status: 200, Body: c.Body}.JSON(v)
}
