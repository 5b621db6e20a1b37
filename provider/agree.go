package provider

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/easelqueue/easel/task"
)

// SettingsOf is the Settings of a request. A parameter that no method asks for, but
// that services call what a column of the row says, is taken if both say the same,
// and refused with both names if they do not: examples of a service's own
// documentation spell out what easel has columns for.
func SettingsOf(r Request) Settings { return Settings{Given: r.Parameters, request: &r} }

// repeats are the names that services give to what a row says in a column.
var repeats = map[string]string{
	"prompt": "prompt", "text_prompt": "prompt", "negative_prompt": "negative_prompt", "model": "model", "size": "size", "image_size": "size",
	"width": "size", "height": "size", "quality": "quality", "style": "style", "style_preset": "style", "seed": "seed",
	"steps": "steps", "num_inference_steps": "steps", "cfg_scale": "cfg_scale", "guidance_scale": "cfg_scale", "guidance": "cfg_scale",
	"watermark": "watermark", "add_watermark": "watermark",
	"n": "image_count", "num_images": "image_count", "num_outputs": "image_count", "image_count": "image_count", "batch_size": "image_count",
}

// repeated judges a parameter that the adapter does not know by itself. It returns
// what is wrong with it, and whether it is one of repeats at all.
func (r *Request) repeated(name, value string) (mistake string, is bool) {
	switch name {
	case "response_format": // how the answer travels; easel takes both and keeps its own copy
		if value != "url" && value != "b64_json" {
			return fmt.Sprintf("parameter response_format is %q; accepted: url, b64_json", cut(task.Quotable(value), 64)), true
		}
		return "", true
	case "stream":
		if on, ok := truth(value); !ok || on {
			return fmt.Sprintf("parameter stream is %q; accepted: false, since easel takes each answer whole", cut(task.Quotable(value), 64)), true
		}
		return "", true
	}
	column, is := repeats[name]
	if !is {
		return "", false
	}
	said := r.said(name, column)
	switch {
	case said == value, column != "prompt" && same(said, value):
		return "", true
	case said == "":
		return fmt.Sprintf("parameter %s is %q and the row's %s is empty; say it in the column %s", name, cut(task.Quotable(value), 64), column, column), true
	}
	return fmt.Sprintf("parameter %s is %q and the row's %s is %q; leave the parameter out, or make both the same", name, cut(task.Quotable(value), 64), column, cut(task.Quotable(said), 64)), true
}

// said is the row's own word on what the parameter of that name repeats.
func (r *Request) said(name, column string) string {
	switch column {
	case "prompt":
		return r.Prompt
	case "negative_prompt":
		return r.NegativePrompt
	case "model":
		return r.Model
	case "quality":
		return r.Quality
	case "style":
		return r.Style
	case "steps":
		return written(r.Steps)
	case "cfg_scale":
		return written(r.CFGScale)
	case "seed":
		return written(r.rowSeed())
	case "watermark": // without a word, none is asked for
		return strconv.FormatBool(r.Watermark != nil && *r.Watermark)
	case "image_count":
		return strconv.Itoa(r.total())
	}
	s, pixels := ParseSize(r.Size)
	switch {
	case name == "width" && pixels:
		return strconv.Itoa(s.W)
	case name == "height" && pixels:
		return strconv.Itoa(s.H)
	}
	return r.Size
}

// total is how many pictures the row asks for, of which this call may draw a part.
func (r *Request) total() int { return max(r.Total, r.Images) }

// rowSeed is the row's seed: that of a later part of the task is moved on.
func (r *Request) rowSeed() *int64 {
	if r.Seed == nil {
		return nil
	}
	return new(*r.Seed - int64(r.Before))
}

func written[T any](v *T) string {
	if v == nil {
		return ""
	}
	return fmt.Sprint(*v)
}

// same compares two words as a service would read them: 2k and 2K, 7.5 and 7.50,
// True and true, 1024*768 and 1024x768 are the same.
func same(a, b string) bool {
	if strings.EqualFold(a, b) {
		return true
	}
	if x, err := strconv.ParseFloat(a, 64); err == nil {
		y, err := strconv.ParseFloat(b, 64)
		return err == nil && x == y
	}
	if x, ok := truth(a); ok {
		y, ok := truth(b)
		return ok && x == y
	}
	x, ok := ParseSize(a)
	y, also := ParseSize(strings.ReplaceAll(b, "*", "x"))
	return ok && also && x == y
}

// truth reads a truth value; True and False are what Python writes.
func truth(value string) (on, ok bool) {
	switch strings.ToLower(value) {
	case "true", "1":
		return true, true
	case "false", "0":
		return false, true
	}
	return false, false
}
