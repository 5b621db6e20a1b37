package provider

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"mime/multipart"
	"net/textproto"
	"strings"

	"github.com/easelqueue/easel/task"
)

// Field is one part of a Form: a text, or a file if it has a ContentType.
type Field struct {
	Name        string
	Value       []byte
	File        string // file name, of a file
	ContentType string
}

// Form is the body of a multipart/form-data request, in order.
type Form []Field

// Add appends a text, unless it is empty.
func (f *Form) Add(name, value string) {
	if value != "" {
		*f = append(*f, Field{Name: name, Value: []byte(value)})
	}
}

// File is the part of that name with the picture in a data URL. The file is named
// by its content, so that the same picture is the same file.
func File(name, picture string) (Field, error) {
	contentType, content, ok := SplitDataURL(picture)
	value, err := base64.StdEncoding.DecodeString(content)
	if !ok || err != nil {
		return Field{}, &task.Failure{Kind: task.Internal, Executed: task.NotExecuted, Message: "the input picture " + name + " is no data URL", Cause: err}
	}
	sum := sha256.Sum256(value)
	_, extension, _ := strings.Cut(contentType, "/")
	return Field{Name: name, Value: value, File: hex.EncodeToString(sum[:8]) + "." + extension, ContentType: contentType}, nil
}

// Encode writes the form and returns its content type. The same form gives the
// same bytes: the boundary follows from what it separates, so that a Call's Hash
// says what is bought.
func (f Form) Encode() (body []byte, contentType string) {
	sum := sha256.New()
	for _, field := range f {
		sum.Write([]byte(field.Name + "\n"))
		sum.Write(field.Value)
	}
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	if err := w.SetBoundary("easel" + hex.EncodeToString(sum.Sum(nil))[:40]); err != nil {
		panic(err) // 45 hex digits and letters are a boundary
	}
	quote := strings.NewReplacer("\\", "\\\\", `"`, `\"`, "\r", "", "\n", "")
	for _, field := range f {
		h := textproto.MIMEHeader{}
		disposition := `form-data; name="` + quote.Replace(field.Name) + `"`
		if field.ContentType != "" {
			disposition += `; filename="` + quote.Replace(field.File) + `"`
			h.Set("Content-Type", field.ContentType)
		}
		h.Set("Content-Disposition", disposition)
		part, _ := w.CreatePart(h) // into memory: cannot fail
		part.Write(field.Value)
	}
	w.Close()
	return b.Bytes(), w.FormDataContentType()
}

// NewFormCall makes the call that posts the form to endpoint.
func NewFormCall(endpoint, model string, f Form) Call {
	body, contentType := f.Encode()
	return Call{Endpoint: endpoint, Body: body, ContentType: contentType, Model: model, Hash: HashCall(endpoint, body)}
}
