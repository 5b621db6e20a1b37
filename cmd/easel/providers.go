package main

import (
	"errors"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/easelqueue/easel/internal/studio"
	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/provider/bfl"
	"github.com/easelqueue/easel/provider/comfyui"
	"github.com/easelqueue/easel/provider/dashscope"
	"github.com/easelqueue/easel/provider/fal"
	"github.com/easelqueue/easel/provider/gemini"
	"github.com/easelqueue/easel/provider/jimeng"
	"github.com/easelqueue/easel/provider/midjourney"
	"github.com/easelqueue/easel/provider/openai"
	"github.com/easelqueue/easel/provider/replicate"
	"github.com/easelqueue/easel/provider/sketch"
	"github.com/easelqueue/easel/provider/stability"
	"github.com/easelqueue/easel/provider/stablediffusion"
	"github.com/easelqueue/easel/provider/volcengine"
	"github.com/easelqueue/easel/task"
)

// adapter is how accounts of one service are made.
type adapter struct {
	baseURL      string        // unless easel.yaml names another
	defaultModel string        // unless easel.yaml names another; empty if the service's models come and go
	keyVariable  string        // holds the key unless easel.yaml names another; empty if the service needs none
	builtIn      bool          // there without being named in easel.yaml and without its key
	open         bool          // may be used without a key, once easel.yaml names it
	organization bool          // accounts may name an organization and a project
	options      []string      // what else an account may say in easel.yaml
	auth         provider.Auth // how the key is sent; nil is provider.Bearer
	hooks        bool          // the service calls back
	console      string        // the provider's page on which people look calls up; empty if none is known
	ask          string        // what `easel doctor` asks for, below the base URL: free, and refused to a bad key; empty if there is no such thing
	build        func(accountConfig, *provider.Client) (provider.Provider, error)
}

// adapters is every service that easel knows, by the name that easel.yaml uses.
var adapters = map[string]adapter{
	"sketch": {builtIn: true, build: func(accountConfig, *provider.Client) (provider.Provider, error) {
		return &sketch.Provider{}, nil
	}},
	"openai": {console: "https://platform.openai.com/usage", builtIn: true, baseURL: "https://api.openai.com/v1", keyVariable: "OPENAI_API_KEY", organization: true, options: []string{"async", "edits"}, ask: "/models",
		build: func(a accountConfig, c *provider.Client) (provider.Provider, error) {
			return openai.New(openai.Config{BaseURL: a.BaseURL, Key: a.Key, Organization: a.Organization, Project: a.Project,
				Async: a.Options["async"], Edits: a.Options["edits"], Client: c})
		}},
	"volcengine": {console: "https://console.volcengine.com/ark", builtIn: true, defaultModel: volcengine.DefaultModel, baseURL: "https://ark.cn-beijing.volces.com/api/v3", keyVariable: "ARK_API_KEY", ask: "/models",
		build: func(a accountConfig, c *provider.Client) (provider.Provider, error) {
			return volcengine.New(volcengine.Config{BaseURL: a.BaseURL, Key: a.Key, Client: c})
		}},
	"replicate": {console: "https://replicate.com/predictions", baseURL: "https://api.replicate.com/v1", keyVariable: "REPLICATE_API_TOKEN", hooks: true, ask: "/account",
		build: func(a accountConfig, c *provider.Client) (provider.Provider, error) {
			return replicate.New(replicate.Config{BaseURL: a.BaseURL, Key: a.Key, Client: c})
		}},
	"bfl": {console: "https://dashboard.bfl.ai", baseURL: "https://api.bfl.ai", keyVariable: "BFL_API_KEY", auth: bfl.Auth, hooks: true, ask: "/v1/credits",
		build: func(a accountConfig, c *provider.Client) (provider.Provider, error) {
			return bfl.New(bfl.Config{BaseURL: a.BaseURL, Key: a.Key, Client: c})
		}},
	"fal": {console: "https://fal.ai/dashboard/requests", baseURL: "https://queue.fal.run", keyVariable: "FAL_KEY", auth: fal.Auth, hooks: true,
		build: func(a accountConfig, c *provider.Client) (provider.Provider, error) {
			return fal.New(fal.Config{BaseURL: a.BaseURL, Key: a.Key, Client: c})
		}},
	"gemini": {console: "https://aistudio.google.com/usage", baseURL: "https://generativelanguage.googleapis.com/v1beta", keyVariable: "GEMINI_API_KEY", auth: gemini.Auth, ask: "/models",
		build: func(a accountConfig, c *provider.Client) (provider.Provider, error) {
			return gemini.New(gemini.Config{BaseURL: a.BaseURL, Key: a.Key, Client: c})
		}},
	"stability": {console: "https://platform.stability.ai/account/credits", baseURL: "https://api.stability.ai", defaultModel: "core", keyVariable: "STABILITY_API_KEY", ask: "/v1/user/balance",
		build: func(a accountConfig, c *provider.Client) (provider.Provider, error) {
			return stability.New(stability.Config{BaseURL: a.BaseURL, Key: a.Key, Client: c})
		}},
	"dashscope": {console: "https://bailian.console.aliyun.com", baseURL: "https://dashscope.aliyuncs.com/api/v1", keyVariable: "DASHSCOPE_API_KEY",
		build: func(a accountConfig, c *provider.Client) (provider.Provider, error) {
			return dashscope.New(dashscope.Config{BaseURL: a.BaseURL, Key: a.Key, Client: c})
		}},
	"jimeng": {console: "https://console.volcengine.com", baseURL: "https://visual.volcengineapi.com", defaultModel: jimeng.DefaultModel, keyVariable: "JIMENG_KEY",
		build: func(a accountConfig, c *provider.Client) (provider.Provider, error) {
			return jimeng.New(jimeng.Config{BaseURL: a.BaseURL, Key: a.Key, Client: c})
		}},
	"stable_diffusion": {baseURL: "http://127.0.0.1:7860", keyVariable: "STABLE_DIFFUSION_AUTH", open: true, auth: provider.Basic, ask: "/sdapi/v1/options",
		build: func(a accountConfig, c *provider.Client) (provider.Provider, error) {
			return stablediffusion.New(stablediffusion.Config{BaseURL: a.BaseURL, Key: a.Key, Client: c})
		}},
	"comfyui": {baseURL: "http://127.0.0.1:8188", keyVariable: "COMFYUI_TOKEN", open: true, auth: comfyui.Auth, options: []string{"workflow"}, ask: "/queue",
		build: func(a accountConfig, c *provider.Client) (provider.Provider, error) {
			var workflow []byte
			if path := a.Options["workflow"]; path != "" {
				var err error
				if workflow, err = readBounded(path, maxConfigFile); err == nil {
					err = comfyui.CheckWorkflow(workflow)
				}
				if err != nil {
					return nil, &badFile{path, err}
				}
			}
			return comfyui.New(comfyui.Config{BaseURL: a.BaseURL, Key: a.Key, Workflow: workflow, Client: c})
		}},
	"midjourney": {keyVariable: "MIDJOURNEY_PROXY_KEY", open: true, hooks: true, options: []string{"dialect"},
		build: func(a accountConfig, c *provider.Client) (provider.Provider, error) {
			return midjourney.New(midjourney.Config{BaseURL: a.BaseURL, Key: a.Key, Dialect: midjourney.Dialect(a.Options["dialect"]), Client: c})
		}},
	rehearsal: {keyVariable: "STUDIO_KEY", ask: "/models",
		build: func(a accountConfig, c *provider.Client) (provider.Provider, error) {
			return studio.New(studio.Config{BaseURL: a.BaseURL, Key: a.Key, Client: c})
		}},
}

// badFile is a file of an account that cannot be used. It disables the account, and
// not the worker: the others can work.
type badFile struct {
	path string
	err  error
}

func (b *badFile) Error() string { return b.path + ": " + b.err.Error() }

// rehearsal is the service of tests and of the selftest, which nobody wants
// pictures of.
const rehearsal = "studio"

// adapterNames lists the services for people.
func adapterNames() []string {
	names := slices.Sorted(maps.Keys(adapters))
	return slices.DeleteFunc(names, func(name string) bool { return name == rehearsal })
}

// defaultProvider returns what a provider is before easel.yaml says anything.
func defaultProvider(name string) providerConfig {
	return providerConfig{Name: name, Adapter: name, Model: adapters[name].defaultModel, Concurrency: 100, Timeout: 5 * time.Minute,
		Deadline: 30 * time.Minute, ServerErrors: task.DefaultServerErrors, MaxWaits: 100, BaseDelay: 2 * time.Second, MaxDelay: 5 * time.Minute}
}

// defaultAccount returns the account that the environment alone makes.
func defaultAccount(adapter string, vars map[string]string) (accountConfig, error) {
	a := accountConfig{Name: "main", KeyVariable: adapters[adapter].keyVariable, BaseURL: adapters[adapter].baseURL, Open: adapters[adapter].open}
	key, err := secretOf(a.KeyVariable, vars)
	if err != nil {
		return a, &mistake{Name: a.KeyVariable, Problem: err.Error()}
	}
	a.Key = key
	return a, nil
}

// withBuiltIn adds the providers that need no entry in easel.yaml: those that are
// built in, and those whose key is in the environment.
func withBuiltIn(listed []providerConfig, vars map[string]string) ([]providerConfig, []error) {
	var mistakes []error
	for _, name := range adapterNames() {
		known := slices.ContainsFunc(listed, func(p providerConfig) bool { return p.Name == name })
		if known || !adapters[name].builtIn && vars[adapters[name].keyVariable] == "" {
			continue
		}
		account, err := defaultAccount(name, vars)
		if err != nil {
			mistakes = append(mistakes, err)
		}
		p := defaultProvider(name)
		p.Accounts = []accountConfig{account}
		listed = append(listed, p)
	}
	return listed, mistakes
}

// services makes the providers ready to be called through client.
func services(providers []providerConfig, client *provider.Client) (provider.Services, []error) {
	all := provider.Services{}
	var mistakes []error
	for _, p := range providers {
		s, err := service(p, client)
		if err != nil {
			mistakes = append(mistakes, err)
			continue
		}
		all[p.Name] = s
	}
	return all, mistakes
}

func service(p providerConfig, client *provider.Client) (*provider.Service, error) {
	s := &provider.Service{
		Name: p.Name, DefaultModel: p.Model, Concurrency: p.Concurrency, Timeout: p.Timeout, Deadline: p.Deadline, Prices: p.Prices,
		Retry: task.Retry{Base: p.BaseDelay, Cap: p.MaxDelay, MaxWaits: p.MaxWaits, OnUnknown: p.OnUnknown,
			ServerErrors: p.ServerErrors, HoldServerErrors: p.HoldServerErrors},
		Setup: "Set " + strings.Join(p.missingKeys(), " or ") + " in the environment of easel, and check with `easel doctor`",
	}
	for i, a := range p.Accounts {
		if !a.usable() {
			continue
		}
		built, err := adapters[p.Adapter].build(a, client.For(p.Name))
		var bad *badFile
		if errors.As(err, &bad) {
			p.Accounts[i].Disabled = bad.Error()
			s.Setup = "Account " + a.Name + " is disabled: " + bad.Error()
			continue
		}
		if err != nil {
			return nil, &mistake{Name: "providers." + p.Name + " account " + a.Name, Problem: "cannot be used: " + err.Error()}
		}
		s.Accounts = append(s.Accounts, provider.Account{Name: a.Name, Provider: provider.Scrubbed(built, a.Key, a.HookSecret),
			Limits: provider.Limits{PerMinute: a.PerMinute, InFlight: a.InFlight}, Hooks: a.Hooks, HookSecret: a.HookSecret})
	}
	s.Console = console(p)
	s.Retry.Free = free(s)
	if s.Retry.OnUnknown == "" && s.Retry.Free {
		s.Retry.OnUnknown = task.Resend
	}
	return s, nil
}

// console is the page of the service that the accounts are at; empty if one of them is
// at a gateway, whose calls that page does not show.
func console(p providerConfig) string {
	for _, a := range p.Accounts {
		if a.BaseURL != "" && strings.TrimRight(a.BaseURL, "/") != adapters[p.Adapter].baseURL {
			return ""
		}
	}
	return adapters[p.Adapter].console
}

// free reports whether a call of the service costs nothing.
func free(s *provider.Service) bool {
	return len(s.Accounts) > 0 && s.Accounts[0].Provider.Capabilities(s.DefaultModel).Free
}

// newClient is what all adapters call through. Its downloads are guarded: their
// addresses come from services and from those who enqueue.
func newClient(c *config) *provider.Client {
	return &provider.Client{HTTP: &http.Client{Transport: provider.NewTransport()}, Downloads: &http.Client{Transport: c.Fetch.Transport()},
		Memory: c.Memory, Temp: c.temp()}
}

// ownHosts are the hosts, with their ports, that the accounts name. What a service
// of one's own draws lies there, in whatever network that is.
func ownHosts(providers []providerConfig) (hosts []string) {
	for _, p := range providers {
		for _, a := range p.Accounts {
			u, err := url.Parse(a.BaseURL)
			if err != nil || u.Host == "" || !a.usable() {
				continue
			}
			port := u.Port()
			if port == "" {
				port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
			}
			hosts = append(hosts, net.JoinHostPort(u.Hostname(), port))
		}
	}
	return hosts
}

// missingKeys names the variables that would give the provider more accounts.
func (p providerConfig) missingKeys() []string {
	var names []string
	for _, a := range p.Accounts {
		if !a.usable() && a.Disabled == "" {
			names = append(names, a.KeyVariable)
		}
	}
	return names
}
