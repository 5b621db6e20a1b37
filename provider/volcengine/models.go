package volcengine

import (
	"slices"
	"strings"
	"time"

	"github.com/easelqueue/easel/provider"
)

// DefaultModel is for the configuration; the adapter itself chooses none.
const DefaultModel = "doubao-seedream-4-0-250828"

// model is what is known of one family of models.
type model struct {
	family    string   // part of the model's name; BytePlus leaves out the "doubao-" before it
	tiers     []string // sizes by name; the model picks the shape
	minPixels int
	maxImages int
	maxInputs int
	tuned     bool // takes seed and guidance_scale
	single    bool // knows nothing of several pictures in one call
}

var models = []model{
	{family: "seedream-4-0", tiers: []string{"1K", "2K", "4K"}, minPixels: 1280 * 720, maxImages: maxImages, maxInputs: 10},
	{family: "seedream-4-5", tiers: []string{"2K", "4K"}, minPixels: 3_686_400, maxImages: maxImages, maxInputs: 14},
	{family: "seedream-5-0", tiers: []string{"2K", "3K", "4K"}, minPixels: 3_686_400, maxImages: maxImages, maxInputs: 14},
	{family: "seedream-3-0", maxImages: 1, tuned: true, single: true},
	{family: "seededit-3-0", maxImages: 1, maxInputs: 1, tuned: true, single: true},
}

// widest stands for models that came later and for endpoint ids (ep-…), which do
// not tell their model: the service itself refuses what they cannot do.
var widest = model{tiers: []string{"1K", "2K", "3K", "4K"}, maxImages: maxImages, maxInputs: 14, tuned: true}

func modelOf(name string) model {
	i := slices.IndexFunc(models, func(m model) bool { return strings.Contains(name, m.family) })
	if i < 0 {
		return widest
	}
	return models[i]
}

func (m model) capabilities() provider.Capabilities {
	return provider.Capabilities{AddressLife: 24 * time.Hour, MaxImages: m.maxImages, MaxInputs: m.maxInputs, Sizes: m.sizes(),
		Seed: m.tuned, CFGScale: m.tuned, Watermark: true}
}

// sizes is what size may be, for people.
func (m model) sizes() string {
	return strings.Join(append(slices.Clone(m.tiers), "width x height such as 2048x2048"), ", ")
}
