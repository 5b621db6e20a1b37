package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/easelqueue/easel/internal/cli"
	"github.com/easelqueue/easel/internal/config"
	"github.com/easelqueue/easel/internal/human"
	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/task"
	"github.com/spf13/cobra"
)

func (a *program) providersCommand() *cobra.Command {
	var model string
	c := &cobra.Command{
		Use: "providers [NAME]", Short: "Show what each provider can do, and which are configured", Args: cli.Takes(0, 1),
		Long: "Show the providers, what they can do, and what would configure the others. With NAME all of one: sizes,\n" +
			"fields of a task that it takes, accounts. What a provider cannot do is refused when a task is enqueued.\n" +
			"Nobody is asked: `easel doctor` tries the keys.",
		Example: "  easel providers\n  easel providers volcengine --model doubao-seedream-4-5-251128\n  easel providers --json | jq '.providers[] | select(.can.cancel).name'",
	}
	c.Flags().StringVar(&model, "model", "", "what this model can do; without it, the default model of the provider")
	c.RunE = func(_ *cobra.Command, args []string) error {
		if model != "" && len(args) == 0 {
			return cli.Usage("--model needs the NAME of the provider whose model it is")
		}
		return a.providers(strings.Join(args, ""), model)
	}
	c.ValidArgsFunction = func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return adapterNames(), cobra.ShellCompDirectiveNoFileComp
	}
	return c
}

// providerList is the answer of providers.
type providerList struct {
	Providers []listedProvider `json:"providers"`
	Others    []otherProvider  `json:"not_configured,omitempty"` // known, and without an account
}

type listedProvider struct {
	Name     string          `json:"name"`
	Needs    string          `json:"needs,omitempty"` // what would configure it; empty if it is
	Adapter  string          `json:"adapter"`
	Model    string          `json:"model"` // that of tasks which name none
	Can      abilities       `json:"can"`
	Rules    moneyRules      `json:"rules"`
	Accounts []listedAccount `json:"accounts"`
}

// moneyRules is what happens to calls of which a picture did not come.
type moneyRules struct {
	OnUnknown     string `json:"on_unknown"`      // hold or retry
	OnServerError string `json:"on_server_error"` // hold or retry
	ServerErrors  int    `json:"server_errors"`   // further calls; 0 with hold
}

func rulesOf(r task.Retry) moneyRules {
	r = r.WithDefaults()
	if r.HoldServerErrors {
		return moneyRules{string(r.OnUnknown), "hold", 0}
	}
	return moneyRules{string(r.OnUnknown), "retry", r.ServerErrors}
}

// unknown and serverError say the rules in words.
func (m moneyRules) unknown() string {
	if m.OnUnknown == "retry" {
		return "the call is made again (on_unknown: retry)"
	}
	return "looked up where the provider can, else held for a person (on_unknown: hold)"
}

func (m moneyRules) serverError() string {
	if m.OnServerError == "hold" {
		return "held for a person (on_server_error: hold)"
	}
	return fmt.Sprintf("called again, at most %s (server_errors: %d)", human.Count(m.ServerErrors, "time"), m.ServerErrors)
}

type listedAccount struct {
	Name      string `json:"name"`
	BaseURL   string `json:"base_url"`
	PerMinute int    `json:"per_minute"` // calls; 0 is no limit
	InFlight  int    `json:"in_flight"`  // jobs; 0 is no limit
	Callbacks bool   `json:"callbacks"`
	Disabled  string `json:"disabled,omitempty"` // why it cannot be used
}

type otherProvider struct {
	Name     string `json:"name"`
	Variable string `json:"variable"`           // its key; empty if easel.yaml must name it
	Disabled string `json:"disabled,omitempty"` // why its accounts cannot be used
}

// abilities is provider.Capabilities by the names of a task's fields.
type abilities struct {
	ImagesPerCall int      `json:"images_per_call"` // a task for more becomes several calls
	InputImages   int      `json:"input_images"`
	Size          string   `json:"size"`
	Fields        []string `json:"fields"` // of a task, besides prompt, size and image_count
	Mask          bool     `json:"mask"`   // parameters.mask
	Async         bool     `json:"async"`
	Cancel        bool     `json:"cancel"`
	Recover       bool     `json:"recover"` // a call whose answer was lost is looked up
	Callback      bool     `json:"callback"`
	Free          bool     `json:"free"`
}

func abilitiesOf(c provider.Capabilities) abilities {
	a := abilities{ImagesPerCall: c.MaxImages, InputImages: c.MaxInputs, Size: c.Sizes, Fields: []string{}, Mask: c.Mask,
		Async: c.Async, Cancel: c.Cancel, Recover: c.Recover, Callback: c.Callback, Free: c.Free}
	for _, f := range []struct {
		name string
		can  bool
	}{{"negative_prompt", c.NegativePrompt}, {"seed", c.Seed}, {"steps", c.Steps}, {"cfg_scale", c.CFGScale}, {"quality", c.Quality},
		{"style", c.Style}, {"watermark", c.Watermark}} {
		if f.can {
			a.Fields = append(a.Fields, f.name)
		}
	}
	return a
}

// calls says in words how the provider's calls go.
func (a abilities) calls() (words []string) {
	for _, w := range []struct {
		words string
		are   bool
	}{{"answered at once", !a.Async}, {"polled", a.Async}, {"can be cancelled", a.Cancel}, {"found again if lost", a.Recover},
		{"can call back", a.Callback}, {"free", a.Free}} {
		if w.are {
			words = append(words, w.words)
		}
	}
	return words
}

func (a *program) providers(name, model string) error {
	cfg, err := config.Load(a.env, kinds)
	if err != nil {
		return err
	}
	list := providerList{Providers: []listedProvider{}, Others: []otherProvider{}}
	configured := make(map[string]bool)
	for _, p := range cfg.Providers {
		configured[p.Name] = true
		s := cfg.Services[p.Name]
		switch {
		case len(s.Accounts) == 0:
			list.Others = append(list.Others, otherProvider{p.Name, strings.Join(p.MissingKeys(), " or "), disabled(p)})
		case name == "" || name == p.Name:
			list.Providers = append(list.Providers, listed(p, s, cmp.Or(model, p.Model)))
		}
	}
	for _, known := range adapterNames() {
		if !configured[known] {
			list.Others = append(list.Others, otherProvider{known, kindOf(known).KeyVariable, ""})
		}
	}
	slices.SortFunc(list.Others, func(x, y otherProvider) int { return cmp.Compare(x.Name, y.Name) })
	switch {
	case name != "" && len(list.Providers) == 0:
		p, err := unconfigured(name, model, cfg, list.Others)
		if err != nil {
			return err
		}
		list.Providers, list.Others = []listedProvider{p}, nil
	case name != "":
		list.Others = nil
	}
	return a.out.Answer(list, func(w io.Writer) { a.out.providers(w, list, name != "") })
}

// unconfigured is what a known provider could do if it had an account that
// says nothing but its key.
func unconfigured(name, model string, cfg config.Config, others []otherProvider) (listedProvider, error) {
	why := unlisted(name, cfg, others)
	i := slices.IndexFunc(others, func(o otherProvider) bool { return o.Name == name && o.Disabled == "" })
	known, isKnown := kinds.Named(name)
	if i < 0 || !isKnown {
		return listedProvider{}, why
	}
	// The key is nobody's and goes nowhere: abilities are asked of the adapter alone.
	built, err := known.New(provider.AccountConfig{BaseURL: cmp.Or(known.BaseURL, "http://127.0.0.1"), Key: "nobody:nobody", Client: &provider.Client{}})
	if err != nil {
		return listedProvider{}, why
	}
	model = cmp.Or(model, known.DefaultModel)
	return listedProvider{Name: name, Needs: others[i].needs(), Adapter: name, Model: model, Can: abilitiesOf(built.Capabilities(model)),
		Rules: rulesOf(task.Retry{}), Accounts: []listedAccount{}}, nil
}

func listed(p config.Provider, s *provider.Service, model string) listedProvider {
	l := listedProvider{Name: p.Name, Adapter: p.Kind.Name, Model: model, Can: abilitiesOf(s.Accounts[0].Provider.Capabilities(model)), Rules: rulesOf(s.Retry)}
	for _, a := range p.Accounts {
		if a.Usable() || a.Disabled != "" {
			l.Accounts = append(l.Accounts, listedAccount{a.Name, a.BaseURL, a.PerMinute, a.InFlight, a.Callbacks, a.Disabled})
		}
	}
	return l
}

// disabled says why the provider's accounts cannot be used, if something does.
func disabled(p config.Provider) string {
	for _, a := range p.Accounts {
		if a.Disabled != "" {
			return a.Disabled
		}
	}
	return ""
}

// unlisted says why the provider cannot be shown.
func unlisted(name string, cfg config.Config, others []otherProvider) error {
	for _, o := range others {
		if o.Name == name && o.Disabled != "" {
			return fmt.Errorf("provider %s cannot be used: %s", name, o.needs())
		}
		if o.Name == name {
			return fmt.Errorf("provider %s is not configured: %s", name, o.needs())
		}
	}
	if near := human.Nearest(name, append(adapterNames(), cfg.Services.Names()...)); near != "" {
		return cli.Usage("provider %s is not known; did you mean %s?", human.Quoted(name), near)
	}
	return cli.Usage("provider %s is not known; accepted are %s", human.Quoted(name), strings.Join(adapterNames(), ", "))
}

// needs says what would configure the provider.
func (o otherProvider) needs() string {
	if o.Disabled != "" {
		return "its account is disabled: " + cli.OneLine(o.Disabled, 400)
	}
	if o.Variable == "" || kindOf(o.Name).KeyOptional {
		return "name it in easel.yaml"
	}
	return "set " + o.Variable
}
