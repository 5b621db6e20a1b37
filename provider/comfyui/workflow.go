package comfyui

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/easelqueue/easel/provider"
)

// plain is the workflow of a server for which none is configured: a checkpoint, two
// prompts, a sampler, files.
//
//go:embed plain.json
var plain []byte

const (
	maxWorkflow = 1 << 20
	maxNodes    = 1_000
)

// placeholder is a place in a workflow's text. One that is all of a text is replaced
// by the value itself, a number by a number; within a longer text it is written out.
var placeholder = regexp.MustCompile(`\{\{([a-z][a-z0-9_]{0,63})(?:=([^{}]*))?\}\}`)

// places are the names that stand for fields of a task; every other name is a
// parameter of the task. A name may have a default: {{steps=20}}.
var places = []string{"prompt", "negative_prompt", "model", "seed", "steps", "cfg_scale", "width", "height", "image_count"}

// workflow is a template in API format, with its places.
type workflow struct {
	nodes    map[string]any
	defaults map[string]*string // by place; nil if it has none
}

func readWorkflow(text []byte) (*workflow, error) {
	w := &workflow{defaults: make(map[string]*string)}
	if len(text) > maxWorkflow {
		return nil, fmt.Errorf("workflow: has %d bytes; accepted are %d", len(text), maxWorkflow)
	}
	nodes, err := decoded(text)
	if err != nil {
		return nil, err
	}
	w.nodes = nodes
	if len(w.nodes) == 0 || len(w.nodes) > maxNodes {
		return nil, fmt.Errorf("workflow: has %d nodes; accepted are 1 to %d", len(w.nodes), maxNodes)
	}
	var errs []error
	for id, node := range w.nodes {
		n, ok := node.(map[string]any)
		if _, named := n["class_type"].(string); !ok || !named {
			errs = append(errs, fmt.Errorf("workflow: node %.40q has no class_type: %s", id, export))
		}
	}
	w.collect(w.nodes)
	if _, ok := w.defaults["prompt"]; !ok {
		errs = append(errs, errors.New("workflow: there is no {{prompt}} in it"))
	}
	return w, errors.Join(errs...)
}

// export says how a workflow becomes one of API format.
const export = `export it from ComfyUI with "Export (API)" in the menu Workflow, or with "Save (API Format)" in older versions, which show it once dev mode is on`

// decoded returns the nodes of a workflow, also where they are wrapped as the server
// takes them: {"prompt": …}. Numbers stay as they are written: a seed may have 64 bits.
func decoded(text []byte) (map[string]any, error) {
	var all map[string]any
	read := json.NewDecoder(bytes.NewReader(bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))))
	read.UseNumber()
	if err := read.Decode(&all); err != nil {
		return nil, fmt.Errorf("workflow: not JSON of the API format: %w", err)
	}
	if _, err := read.Token(); err != io.EOF {
		return nil, errors.New("workflow: not JSON of the API format: something follows its end")
	}
	if inner, ok := all["prompt"].(map[string]any); ok && inner["class_type"] == nil {
		all = inner
	}
	if _, listed := all["nodes"].([]any); listed {
		return nil, errors.New("workflow: is in the format in which ComfyUI's pages save it, and not in that which its server takes: " + export)
	}
	return all, nil
}

// collect finds the places in v and below.
func (w *workflow) collect(v any) {
	switch v := v.(type) {
	case map[string]any:
		for _, inner := range v {
			w.collect(inner)
		}
	case []any:
		for _, inner := range v {
			w.collect(inner)
		}
	case string:
		for _, found := range placeholder.FindAllStringSubmatch(v, -1) {
			if strings.Contains(found[0], "=") {
				w.defaults[found[1]] = &found[2]
			} else if w.defaults[found[1]] == nil {
				w.defaults[found[1]] = nil
			}
		}
	}
}

func (w *workflow) has(place string) bool { _, ok := w.defaults[place]; return ok }

// seed is the one that the workflow itself names, {{seed=7}}, and for further calls of
// one task those behind it, so that they draw other pictures; nil if it names none.
func (w *workflow) seed(before int) any {
	given := w.defaults["seed"]
	if given == nil || strings.TrimSpace(*given) == "" {
		return nil
	}
	if n, err := strconv.ParseUint(*given, 10, 64); err == nil {
		return n + uint64(before)
	}
	return number(*given)
}

// inputs is how many input pictures the workflow has places for: input_1 and so on.
func (w *workflow) inputs() int {
	n := 0
	for w.has("input_" + strconv.Itoa(n+1)) {
		n++
	}
	return n
}

// parameters are the places that are no field of a task.
func (w *workflow) parameters() []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(w.defaults)), func(name string) bool {
		number, input := strings.CutPrefix(name, "input_")
		n, err := strconv.Atoi(number)
		return slices.Contains(places, name) || input && err == nil && n >= 1 && n <= w.inputs()
	})
}

func (w *workflow) capabilities() provider.Capabilities {
	c := provider.Capabilities{Async: true, MaxImages: 1, MaxInputs: w.inputs(), Inputs: provider.ByUpload, Cancel: true, Deletes: true, Recover: true, Free: true,
		NegativePrompt: w.has("negative_prompt"), Seed: w.has("seed"), Steps: w.has("steps"), CFGScale: w.has("cfg_scale")}
	if w.has("image_count") {
		c.MaxImages = maxImages
	}
	if w.has("width") && w.has("height") {
		c.Sizes = "width x height, sides of 16 to 8192 pixels"
	}
	return c
}

// fill returns the workflow with values in its places. A place without value and
// without default is an error that names it.
func (w *workflow) fill(values map[string]any) (map[string]any, error) {
	var missing []string
	value := func(name string) (any, bool) {
		if v, ok := values[name]; ok {
			return v, true
		}
		if d := w.defaults[name]; d != nil {
			return number(*d), true
		}
		if !slices.Contains(missing, name) {
			missing = append(missing, name)
		}
		return nil, false
	}
	var put func(v any) any
	put = func(v any) any {
		switch v := v.(type) {
		case map[string]any:
			out := make(map[string]any, len(v))
			for key, inner := range v {
				out[key] = put(inner)
			}
			return out
		case []any:
			out := make([]any, len(v))
			for i, inner := range v {
				out[i] = put(inner)
			}
			return out
		case string:
			return written(v, value)
		}
		return v
	}
	nodes := put(w.nodes).(map[string]any)
	slices.Sort(missing)
	if len(missing) > 0 {
		return nil, provider.Invalid("the workflow needs %s, which the task does not say and the workflow has no default for", strings.Join(missing, ", "))
	}
	return nodes, nil
}

// written replaces the places of one text. What a task says is never looked through
// for places again.
func written(text string, value func(string) (any, bool)) any {
	if whole := placeholder.FindStringSubmatch(text); whole != nil && whole[0] == text {
		v, _ := value(whole[1])
		return v
	}
	return placeholder.ReplaceAllStringFunc(text, func(place string) string {
		v, _ := value(placeholder.FindStringSubmatch(place)[1])
		if s, ok := v.(string); ok {
			return s
		}
		return fmt.Sprint(v)
	})
}

// number reads a number or a truth value, and leaves all other text as it is. A number
// of JSON stays as it is written: a seed may have 64 bits, and 1e-5 may be meant so.
func number(text string) any {
	if first := strings.TrimPrefix(text, "-"); first != "" && first[0] >= '0' && first[0] <= '9' && json.Valid([]byte(text)) {
		return json.Number(text)
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return n
	}
	if f, err := strconv.ParseFloat(text, 64); err == nil && f-f == 0 {
		return f
	}
	if text == "true" || text == "false" {
		return text == "true"
	}
	return text
}
