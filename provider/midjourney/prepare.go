package midjourney

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/task"
)

// Bounds of the service.
const (
	maxPrompt = 6_000
	maxInputs = 5
	maxInput  = 10 << 20
	maxSeed   = 1<<32 - 1
	tiles     = 2 // a side: one drawing is a grid of four
)

const sizes = "an aspect ratio such as 3:2"

// splitting marks the endpoint of a call whose grid is to become four pictures. It is
// a fragment, which is not sent: the journal keeps the endpoint, so that a call that
// is found again is split as well.
const splitting = "#split"

func splits(endpoint string) bool { return strings.HasSuffix(endpoint, splitting) }

var aspect = regexp.MustCompile(`^[1-9]\d{0,2}:[1-9]\d{0,2}$`)

// body is the JSON of all submits, as far as each has it.
type body struct {
	Bot        string   `json:"botType,omitempty"`
	Prompt     string   `json:"prompt,omitempty"`
	Pictures   []string `json:"base64Array,omitempty"` // data URLs
	Dimensions string   `json:"dimensions,omitempty"`
	TaskID     string   `json:"taskId,omitempty"`
	Action     string   `json:"action,omitempty"`
	Index      int      `json:"index,omitempty"`
	CustomID   string   `json:"customId,omitempty"`
}

func (a *Adapter) Prepare(r provider.Request) (provider.Call, error) {
	if r.Model == "" {
		r.Model = "midjourney"
	}
	if err := r.Check(maxPrompt); err != nil {
		return provider.Call{}, err
	}
	s := provider.SettingsOf(r)
	action := s.Enum("action", "imagine", "blend", "upscale", "variation", "reroll", "button")
	grid := s.Enum("grid", "keep", "split")
	b := body{Bot: s.Enum("bot", "MID_JOURNEY", "NIJI_JOURNEY"), TaskID: s.Text("task", task.MaxText), CustomID: s.Text("custom_id", task.MaxText)}
	if n := s.Int("index", 1, 4); n != nil {
		b.Index = *n
	}
	if err := s.Err(); err != nil {
		return provider.Call{}, err
	}
	if err := count(r.Images, grid, action); err != nil {
		return provider.Call{}, err
	}
	if err := (provider.Inputs{Bytes: maxInput}).Check("input picture", r.Inputs...); err != nil {
		return provider.Call{}, err
	}
	endpoint, err := b.act(a.dialect, action, r)
	if err != nil {
		return provider.Call{}, err
	}
	if grid == "split" {
		endpoint += splitting
	}
	return provider.NewCall(endpoint, r.Model, b)
}

// count refuses a number of pictures that the grid does not give.
func count(images int, grid, action string) error {
	switch {
	case grid == "split" && action == "upscale":
		return provider.Invalid("parameter grid is split; an upscaled picture is no grid")
	case grid == "split" && images != tiles*tiles:
		return provider.Invalid("image_count is %d; a grid that is split gives %d", images, tiles*tiles)
	case grid != "split" && images != 1:
		return provider.Invalid("image_count is %d; a grid that is kept is one picture, and parameter grid=split makes four of it", images)
	}
	return nil
}

// act fills in what the action needs and returns where it is submitted.
func (b *body) act(d Dialect, action string, r provider.Request) (string, error) {
	switch action {
	case "", "imagine":
		return "/submit/imagine", b.imagine(r)
	case "blend":
		return "/submit/blend", b.blend(r)
	}
	if len(r.Inputs) > 0 || r.Size != "" || r.Seed != nil || r.NegativePrompt != "" || r.Quality != "" {
		return "", provider.Invalid("action %s takes a task that is there and nothing else: leave out pictures, size, seed, negative_prompt and quality", action)
	}
	if b.TaskID == "" {
		return "", provider.Invalid("action %s needs parameter task, the id of the task at the proxy (task_id of the row)", action)
	}
	if d == Trueai || action == "button" {
		if b.CustomID == "" {
			return "", provider.Invalid("action %s of this proxy needs parameter custom_id, that of a button of the task (api_response of the row)", action)
		}
		b.Index = 0
		return "/submit/action", nil
	}
	if action != "reroll" && b.Index == 0 {
		return "", provider.Invalid("action %s needs parameter index, 1 to 4", action)
	}
	if action == "reroll" {
		b.Index = 0
	}
	b.Action, b.CustomID = strings.ToUpper(action), ""
	return "/submit/change", nil
}

// imagine writes what other services have fields for as flags behind the prompt.
func (b *body) imagine(r provider.Request) error {
	if b.TaskID != "" || b.Index != 0 || b.CustomID != "" {
		return provider.Invalid("parameters task, index and custom_id belong to another action than imagine")
	}
	if len(r.Inputs) > maxInputs {
		return provider.Invalid("%d input pictures were given; accepted are up to %d", len(r.Inputs), maxInputs)
	}
	if r.Size != "" && !aspect.MatchString(r.Size) {
		return provider.Invalid("size is %q; accepted is %s", r.Size, sizes)
	}
	if r.Seed != nil && (*r.Seed < 0 || *r.Seed > maxSeed) {
		return provider.Invalid("seed is %d; accepted are 0 to %d", *r.Seed, int64(maxSeed))
	}
	if r.Quality != "" && !slices.Contains([]string{".25", ".5", "0.25", "0.5", "1", "2", "4"}, r.Quality) {
		return provider.Invalid("quality is %q; accepted are 0.25, 0.5, 1, 2 and 4", r.Quality)
	}
	if strings.Contains(r.NegativePrompt, "--") {
		return provider.Invalid("negative_prompt holds a flag; write flags behind the prompt")
	}
	b.Prompt, b.Pictures = strings.TrimSpace(r.Prompt), r.Inputs
	seed := ""
	if r.Seed != nil {
		seed = strconv.FormatInt(*r.Seed, 10)
	}
	for _, f := range []struct{ field, flag, other, value string }{{"size", "--ar", "--aspect", r.Size}, {"seed", "--seed", "--seed", seed},
		{"quality", "--q", "--quality", r.Quality}, {"negative_prompt", "--no", "--no", strings.TrimSpace(r.NegativePrompt)}} {
		if f.value == "" {
			continue
		}
		if words := strings.Fields(b.Prompt); slices.Contains(words, f.flag) || slices.Contains(words, f.other) {
			return provider.Invalid("%s is given, and %s in the prompt says it too; leave one out", f.field, f.flag)
		}
		b.Prompt += " " + f.flag + " " + f.value
	}
	return nil
}

// blend mixes pictures; the prompt is not used, but every task has one.
func (b *body) blend(r provider.Request) error {
	shapes := map[string]string{"": "", "1:1": "SQUARE", "2:3": "PORTRAIT", "3:2": "LANDSCAPE"}
	shape, ok := shapes[r.Size]
	switch {
	case len(r.Inputs) < 2 || len(r.Inputs) > maxInputs:
		return provider.Invalid("%d input pictures were given; blend takes 2 to %d", len(r.Inputs), maxInputs)
	case !ok:
		return provider.Invalid("size is %q; blend accepts 1:1, 2:3 and 3:2", r.Size)
	case r.Seed != nil || r.NegativePrompt != "" || r.Quality != "":
		return provider.Invalid("blend takes no seed, no negative_prompt and no quality")
	}
	b.Pictures, b.Dimensions = r.Inputs, shape
	return nil
}
