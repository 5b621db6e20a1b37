package comfyui

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"

	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/task"
)

// Bounds. The server has none but its memory; these keep a slip from occupying it
// for hours.
const (
	maxPrompt    = 32_000
	maxImages    = 8
	maxSide      = 8192
	maxSteps     = 500
	maxParameter = 32_000
)

// anySeed stands for a seed that the task does not say. Submit draws it from the
// call's key: the server answers what it has drawn before from its cache.
const anySeed = "easel: any seed"

func seeded(c provider.Call) (provider.Call, *int64) {
	place := []byte(`"` + anySeed + `"`)
	if !bytes.Contains(c.Body, place) {
		return c, nil
	}
	sum := sha256.Sum256([]byte(c.Key))
	seed := int64(binary.BigEndian.Uint64(sum[:8]) >> 16) // 48 bits, which every sampler takes
	c.Body = bytes.ReplaceAll(c.Body, place, strconv.AppendInt(nil, seed, 10))
	return c, &seed
}

func (a *Adapter) Prepare(r provider.Request) (provider.Call, error) {
	named := r
	if named.Model == "" {
		named.Model = "workflow"
	}
	if err := named.Check(maxPrompt); err != nil {
		return provider.Call{}, err
	}
	values := map[string]any{"prompt": r.Prompt}
	for _, step := range []func() error{
		func() error { return a.numbers(values, r) },
		func() error { return a.shape(values, r) },
		func() error { return a.inputs(values, r) },
		func() error { return a.parameters(values, r) },
	} {
		if err := step(); err != nil {
			return provider.Call{}, err
		}
	}
	nodes, err := a.flow.fill(values)
	if err != nil {
		return provider.Call{}, err
	}
	return provider.NewCall("/prompt", r.Model, map[string]any{"prompt": nodes})
}

// numbers puts in what the task says and refuses what the workflow has no place for.
func (a *Adapter) numbers(values map[string]any, r provider.Request) error {
	set := func(place string, given bool, value any) error {
		if given && !a.flow.has(place) {
			return &task.Failure{Kind: task.Unsupported, Executed: task.NotExecuted, Message: fmt.Sprintf("the workflow has no place for %s", place),
				Advice: task.AddPlaceholder, About: "{{" + place + "}}"}
		}
		if given {
			values[place] = value
		}
		return nil
	}
	switch {
	case r.Images < 1 || r.Images > a.flow.capabilities().MaxImages:
		return provider.Invalid("image_count is %d; accepted are 1 to %d in one call", r.Images, a.flow.capabilities().MaxImages)
	case r.Steps != nil && (*r.Steps < 1 || *r.Steps > maxSteps):
		return provider.Invalid("steps is %d; accepted are 1 to %d", *r.Steps, maxSteps)
	case r.Seed != nil && *r.Seed < 0:
		return provider.Invalid("seed is %d; accepted are numbers from 0 on", *r.Seed)
	}
	values["negative_prompt"] = r.NegativePrompt
	values["image_count"] = r.Images
	if seed := a.flow.seed(r.Before); seed != nil {
		values["seed"] = seed
	} else {
		values["seed"] = anySeed
	}
	for _, f := range []struct {
		place string
		given bool
		value any
	}{{"negative_prompt", r.NegativePrompt != "", r.NegativePrompt}, {"model", r.Model != "", r.Model}, {"seed", r.Seed != nil, r.Seed},
		{"steps", r.Steps != nil, r.Steps}, {"cfg_scale", r.CFGScale != nil, r.CFGScale}} {
		if err := set(f.place, f.given, f.value); err != nil {
			return err
		}
	}
	return nil
}

func (a *Adapter) shape(values map[string]any, r provider.Request) error {
	s, pixels := provider.ParseSize(r.Size)
	switch {
	case r.Size == "":
		return nil
	case !a.flow.has("width") || !a.flow.has("height"):
		return &task.Failure{Kind: task.Unsupported, Executed: task.NotExecuted, Message: "the workflow has no place for a size", Advice: task.AddPlaceholder, About: "{{width}}, {{height}}"}
	case !pixels || min(s.W, s.H) < 16 || max(s.W, s.H) > maxSide:
		return provider.Invalid("size is %q; accepted is width x height, sides of 16 to %d pixels", r.Size, maxSide)
	}
	values["width"], values["height"] = s.W, s.H
	return nil
}

// inputs puts in the names that the uploads have got.
func (a *Adapter) inputs(values map[string]any, r provider.Request) error {
	if places := a.flow.inputs(); len(r.Inputs) > places {
		return provider.Invalid("%d input pictures were given; the workflow has places for %d", len(r.Inputs), places)
	}
	for i, name := range r.Inputs {
		if strings.Contains(name, ":") || strings.Contains(name, "..") {
			return provider.Invalid("input picture %d is not uploaded yet", i+1)
		}
		values["input_"+strconv.Itoa(i+1)] = name
	}
	return nil
}

func (a *Adapter) parameters(values map[string]any, r provider.Request) error {
	s := provider.SettingsOf(r)
	for _, name := range a.flow.parameters() {
		if v := s.Text(name, maxParameter); v != "" {
			values[name] = number(v)
		}
	}
	return s.Err()
}
