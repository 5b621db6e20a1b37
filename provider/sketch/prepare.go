package sketch

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/easelqueue/easel/picture/codec"
	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/provider/sketch/paint"
	"github.com/easelqueue/easel/task"
)

const (
	model        = "sketch"
	maxCaption   = 200 // characters of the prompt that are considered for the caption
	inputSide    = 256 // pixels that are remembered of an input picture's longer side
	plainCFG     = 7.0 // the cfg_scale at which colours are plain
	manySteps    = 40
	fewSteps     = 8
	inputMessage = "input picture"
)

// qualities maps the words that services use to levels of detail.
var qualities = map[string]int{"": 1, "draft": 0, "low": 0, "auto": 1, "standard": 1, "medium": 1, "high": 2, "hd": 2}

// Prepare checks r. Input pictures in data URLs are decoded and shrunk here, so
// that what is wrong with them is told before the task is stored; those behind
// http and https addresses are not fetched, only their address changes the
// drawing.
func (p *Provider) Prepare(r provider.Request) (provider.Call, error) {
	r.Model = cmp.Or(r.Model, model)
	if err := r.Check(task.MaxPrompt); err != nil {
		return provider.Call{}, err
	}
	if err := checkRequest(r); err != nil {
		return provider.Call{}, err
	}
	size, err := parseSize(r.Size)
	if err != nil {
		return provider.Call{}, err
	}
	j := job{Version: version, Width: size.W, Height: size.H, Detail: detail(r), Vivid: vivid(r), Caption: caption(r.Prompt),
		Mark: r.Watermark != nil && *r.Watermark}
	if s := paint.Scene(r.Style); slices.Contains(paint.Scenes, s) {
		j.Scene = s
	}
	if err := j.behave(r); err != nil {
		return provider.Call{}, err
	}
	links, err := p.readInputs(&j, r.Inputs)
	if err != nil {
		return provider.Call{}, err
	}
	j.seed(r, links)
	return provider.NewCall(Endpoint, r.Model, j)
}

func checkRequest(r provider.Request) error {
	_, known := qualities[r.Quality]
	switch {
	case r.Images < 1 || r.Images > maxImages:
		return invalid("image_count is %d; accepted are 1 to %d", r.Images, maxImages)
	case utf8.RuneCountInString(r.NegativePrompt) > task.MaxPrompt:
		return invalid("negative_prompt has %d characters; accepted are up to %d", utf8.RuneCountInString(r.NegativePrompt), task.MaxPrompt)
	case utf8.RuneCountInString(r.Model) > task.MaxText:
		return invalid("model has %d characters; accepted are up to %d", utf8.RuneCountInString(r.Model), task.MaxText)
	case utf8.RuneCountInString(r.Style) > task.MaxText:
		return invalid("style has %d characters; accepted are up to %d", utf8.RuneCountInString(r.Style), task.MaxText)
	case !known:
		return invalid("quality is %.64q; accepted are draft, low, standard, medium, auto, high and hd", r.Quality)
	case r.Steps != nil && (*r.Steps < 1 || *r.Steps > task.MaxSteps):
		return invalid("steps is %d; accepted are 1 to %d", *r.Steps, task.MaxSteps)
	case r.CFGScale != nil && !(*r.CFGScale >= 0 && *r.CFGScale <= task.MaxCFGScale): // so that NaN is refused
		return invalid("cfg_scale is %g; accepted are 0 to %d", *r.CFGScale, task.MaxCFGScale)
	case len(r.Inputs) > maxInputs:
		return invalid("%d input pictures were given; accepted are up to %d", len(r.Inputs), maxInputs)
	}
	types := []string{"image/png", "image/jpeg", "image/webp", "image/gif"}
	return provider.Inputs{Bytes: maxInput, Types: types}.Check(inputMessage, r.Inputs...)
}

func detail(r provider.Request) int {
	d := qualities[r.Quality]
	switch {
	case r.Steps == nil:
	case *r.Steps >= manySteps:
		d++
	case *r.Steps < fewSteps:
		d--
	}
	return max(0, d)
}

func vivid(r provider.Request) float64 {
	if r.CFGScale == nil {
		return 1
	}
	return max(0.3, min(1.5, math.Sqrt(*r.CFGScale/plainCFG)))
}

// caption is the beginning of the prompt as one line.
func caption(prompt string) string {
	head := prompt[:min(len(prompt), maxCaption*utf8.UTFMax*2)]
	line := []rune(strings.Join(strings.Fields(strings.ToValidUTF8(head, "")), " "))
	return string(line[:min(len(line), maxCaption)])
}

// readInputs keeps small copies of the pictures in data URLs and returns the
// other addresses.
func (p *Provider) readInputs(j *job, urls []string) (links []string, err error) {
	p.prepareOnce()
	for i, u := range urls {
		_, content, isData := strings.Cut(u, ";base64,")
		if !isData || !strings.HasPrefix(u, "data:") {
			links = append(links, u)
			continue
		}
		data, err := base64.StdEncoding.DecodeString(content)
		if err != nil {
			return nil, invalid("%s %d is a data URL whose content is not base64", inputMessage, i+1)
		}
		small, err := p.shrink(data)
		var refused *codec.Error
		switch {
		case errors.As(err, &refused):
			return nil, invalid("%s %d cannot be used: %v", inputMessage, i+1, err)
		case err != nil:
			return nil, &task.Failure{Kind: task.Internal, Executed: task.NotExecuted, Message: err.Error(), Cause: err}
		}
		j.Inputs = append(j.Inputs, small)
	}
	j.Links = len(links)
	return links, nil
}

func (p *Provider) shrink(data []byte) ([]byte, error) {
	// Prepare has no context: it does no I/O, and its work is bounded.
	checked, err := p.inputs.Check(context.Background(), bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	return checked.Thumbnail.Bytes, checked.ThumbnailErr
}

// seed sets the digest over all that shapes the picture except its number, and
// the number of each picture: those that follow the given seed, or the digest's
// own. The same digest and number draw the same at any position.
func (j *job) seed(r provider.Request, links []string) {
	h := sha256.New()
	part := func(text []byte) {
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(len(text)))
		h.Write(n[:]) // so that no two lists of parts look alike
		h.Write(text)
	}
	for _, text := range append([]string{r.Model, r.Prompt, r.NegativePrompt, r.Style}, links...) {
		part([]byte(text))
	}
	for _, input := range j.Inputs {
		part(input)
	}
	sum := h.Sum(nil)
	j.Digest = hex.EncodeToString(sum)
	first := int64(binary.BigEndian.Uint32(sum) >> 1)
	if r.Seed != nil {
		first = *r.Seed
	}
	for i := range r.Images {
		j.Seeds = append(j.Seeds, first+int64(i))
	}
}

func invalid(format string, args ...any) *task.Failure {
	return &task.Failure{Kind: task.Invalid, Executed: task.NotExecuted, Message: fmt.Sprintf(format, args...)}
}
