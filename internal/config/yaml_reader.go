package config

import (
	"errors"
	"fmt"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"github.com/easelqueue/easel/provider"
)

// yamlReader reads a YAML file strictly and gathers every mistake with its
// line. It goes over the parsed tree by itself because a decoder stops at the
// first mistake and quotes the source, in which a key may stand.
type yamlReader struct {
	file     string
	vars     map[string]string
	kinds    provider.Kinds
	mistakes []error
}

func (r *yamlReader) refuse(line int, name, problem, accepted string) {
	r.mistakes = append(r.mistakes, &Mistake{
		Where: fmt.Sprintf("%s:%d: ", r.file, line), Name: name, Problem: problem, Accepted: accepted})
}

// root parses the text and returns its top mapping, or nil after a mistake or
// if there is nothing in it.
func (r *yamlReader) root(text []byte) *mapping {
	file, err := parser.ParseBytes(text, 0)
	if err != nil {
		r.refuse(lineOf(err), "the file", "is not valid YAML: "+messageOf(err), "")
		return nil
	}
	if len(file.Docs) > 1 {
		r.refuse(line(file.Docs[1].Body), "the file", "holds more than one document", "accepted is one")
		return nil
	}
	if len(file.Docs) == 0 || empty(file.Docs[0].Body) {
		return nil
	}
	return r.mapping(file.Docs[0].Body, "", "")
}

func lineOf(err error) int {
	var at yaml.Error
	if errors.As(err, &at) && at.GetToken() != nil {
		return at.GetToken().Position.Line
	}
	return 1
}

// messageOf leaves out the excerpt of the source that a yaml.Error shows.
func messageOf(err error) string {
	var at yaml.Error
	if errors.As(err, &at) {
		return at.GetMessage()
	}
	return "it cannot be parsed"
}

func line(n ast.Node) int {
	if n == nil || n.GetToken() == nil {
		return 1
	}
	return n.GetToken().Position.Line
}

func empty(n ast.Node) bool {
	switch n.(type) {
	case nil, *ast.NullNode, *ast.CommentGroupNode:
		return true
	}
	return false
}
