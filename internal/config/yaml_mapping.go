package config

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"

	"github.com/easelqueue/easel/internal/human"
)

// mapping is one YAML mapping; its methods read a key each and remember that it
// is known. After a mistake they return the fallback, so that reading goes on.
type mapping struct {
	r      *yamlReader
	name   string // its last part of path
	path   string
	at     int
	keys   []string
	values map[string]ast.Node
	lines  map[string]int
	known  []string
}

func (r *yamlReader) mapping(n ast.Node, path, name string) *mapping {
	m := &mapping{r: r, name: name, path: path, at: line(n), values: map[string]ast.Node{}, lines: map[string]int{}}
	var pairs []*ast.MappingValueNode
	switch n := n.(type) {
	case *ast.MappingNode:
		pairs = n.Values
	case *ast.MappingValueNode:
		pairs = []*ast.MappingValueNode{n}
	case *ast.AnchorNode, *ast.AliasNode:
		r.refuse(m.at, cmp.Or(path, "the file"), "uses an anchor or an alias", "accepted is the text itself")
	default:
		if !empty(n) {
			r.refuse(m.at, cmp.Or(path, "the file"), "is not a mapping", "accepted are lines of the form name: value")
		}
	}
	for _, pair := range pairs {
		key, ok := pair.Key.(*ast.StringNode)
		if !ok {
			r.refuse(line(pair.Key), m.of(pair.Key.GetToken().Value), "is not a plain name", "accepted are words; merges (<<) and numbers are not")
			continue
		}
		m.keys = append(m.keys, key.Value)
		m.values[key.Value], m.lines[key.Value] = pair.Value, line(pair.Key)
	}
	return m
}

func (m *mapping) of(key string) string {
	if m.path == "" {
		return key
	}
	return m.path + "." + key
}

func (m *mapping) refuse(key, problem, accepted string) {
	at := m.at
	if l, ok := m.lines[key]; ok {
		at = l
	}
	m.r.refuse(at, m.of(key), problem, accepted)
}

// renamed takes what stands under the former name of a key as that of the key.
func (m *mapping) renamed(former, key string) {
	value, there := m.values[former]
	if !there {
		return
	}
	if _, both := m.values[key]; both {
		m.known = append(m.known, former)
		m.refuse(former, "is there beside "+key, former+" is the former name of "+key+"; accepted is one of them")
		return
	}
	m.values[key], m.lines[key] = value, m.lines[former]
	m.keys[slices.Index(m.keys, former)] = key
}

// scalar returns the text of a single value; ok is false if the key is missing or null.
func (m *mapping) scalar(key string) (text string, ok bool) {
	m.known = append(m.known, key)
	n, there := m.values[key]
	if !there || empty(n) {
		return "", false
	}
	switch n := n.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.LiteralNode:
		return n.Value.Value, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		return n.GetToken().Value, true
	}
	m.refuse(key, "is not a single value", "accepted is a text or a number")
	return "", false
}

func (m *mapping) text(key, fallback string, limit int) string {
	text, ok := m.scalar(key)
	switch {
	case !ok:
		return fallback
	case text == "" || len(text) > limit:
		m.refuse(key, fmt.Sprintf("has %d characters", len(text)), fmt.Sprintf("accepted are 1 to %d", limit))
		return fallback
	}
	return text
}

func (m *mapping) required(key string) string {
	text, ok := m.scalar(key)
	if !ok && m.values[key] == nil {
		m.refuse(key, "is missing", "it has no default")
	}
	return text
}

func (m *mapping) matching(key, fallback string, form *regexp.Regexp, accepted string) string {
	text, ok := m.scalar(key)
	if !ok {
		return fallback
	}
	if !form.MatchString(text) {
		m.refuse(key, fmt.Sprintf("is %q", human.Shorten(text, 60)), accepted)
	}
	return text
}

// choice returns one of what is accepted.
func (m *mapping) choice(key, fallback string, accepted []string) string {
	text, ok := m.scalar(key)
	if !ok {
		text = fallback
	}
	if text != "" && !slices.Contains(accepted, text) {
		m.refuse(key, fmt.Sprintf("is %q", human.Shorten(text, 60)), "accepted are "+strings.Join(accepted, ", "))
	}
	return text
}

func (m *mapping) integer(key string, fallback, low, high int, meaning string) int {
	text, ok := m.scalar(key)
	if !ok {
		return fallback
	}
	n, err := parseInt(text, low, high)
	if err != nil {
		m.refuse(key, "is "+human.Shorten(text, 60), fmt.Sprintf("accepted are %d%s to %d", low, meaning, high))
		return fallback
	}
	return n
}

func (m *mapping) duration(key string, fallback, low, high time.Duration) time.Duration {
	text, ok := m.scalar(key)
	if !ok {
		return fallback
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < low || d > high {
		m.refuse(key, "is "+human.Shorten(text, 60), fmt.Sprintf("accepted are durations from %s to %s, such as 90s or 5m", human.Duration(low), human.Duration(high)))
		return fallback
	}
	return d
}

// order refuses a smaller that is larger than the larger.
func (m *mapping) order(small string, a time.Duration, large string, b time.Duration) {
	if a > b {
		m.refuse(small, "is "+human.Duration(a)+", longer than "+large, "accepted is at most "+human.Duration(b))
	}
}

// members returns the mappings that a mapping of names holds, in order.
func (m *mapping) members(key string, limit int) []*mapping {
	m.known = append(m.known, key)
	if empty(m.values[key]) {
		return nil
	}
	inner := m.r.mapping(m.values[key], m.of(key), key)
	if len(inner.keys) > limit {
		m.refuse(key, fmt.Sprintf("has %d entries", len(inner.keys)), fmt.Sprintf("accepted are up to %d", limit))
		return nil
	}
	var all []*mapping
	for _, name := range inner.keys {
		member := m.r.mapping(inner.values[name], inner.of(name), name)
		member.at = inner.lines[name]
		all = append(all, member)
	}
	return all
}

// sequence returns the mappings that a list holds.
func (m *mapping) sequence(key string, limit int) []*mapping {
	m.known = append(m.known, key)
	if empty(m.values[key]) {
		return nil
	}
	list, ok := m.values[key].(*ast.SequenceNode)
	if !ok {
		m.refuse(key, "is not a list", "accepted are lines that begin with a dash")
		return nil
	}
	if len(list.Values) > limit {
		m.refuse(key, fmt.Sprintf("has %d entries", len(list.Values)), fmt.Sprintf("accepted are up to %d", limit))
		return nil
	}
	var all []*mapping
	for i, n := range list.Values {
		name := key + "[" + strconv.Itoa(i) + "]"
		all = append(all, m.r.mapping(n, m.of(name), name))
	}
	return all
}

// done refuses the keys that nobody has read.
func (m *mapping) done() {
	for _, key := range m.keys {
		if slices.Contains(m.known, key) {
			continue
		}
		accepted := "known are " + strings.Join(m.known, ", ")
		if near := human.Nearest(key, m.known); near != "" {
			accepted = "did you mean " + near + "?"
		}
		m.refuse(key, "is not known", accepted)
	}
}
