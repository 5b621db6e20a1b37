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
	"github.com/easelqueue/easel/provider/all"
	"github.com/easelqueue/easel/task"
)

// kinds is every service that easel can speak to, that of tests among them.
var kinds = append(slices.Clone(all.Kinds), studio.Kind)

func kindOf(adapter string) provider.Kind {
	k, _ := kinds.Named(adapter)
	return k
}

// adapterNames lists the services for people.
func adapterNames() []string { return all.Kinds.Names() }

// badFile is a file of an account that cannot be used. It disables the account, and
// not the worker: the others can work.
type badFile struct {
	path string
	err  error
}

func (b *badFile) Error() string { return b.path + ": " + b.err.Error() }

// connected makes the account ready to be called. An option that is a file is read here.
func connected(k provider.Kind, a accountConfig, c *provider.Client) (provider.Provider, error) {
	options := maps.Clone(a.Options)
	for _, o := range k.Options {
		path := options[o.Name]
		if o.Check == nil || path == "" {
			continue
		}
		content, err := readBounded(path, maxConfigFile)
		if err == nil {
			err = o.Check(content)
		}
		if err != nil {
			return nil, &badFile{path, err}
		}
		options[o.Name] = string(content)
	}
	return k.New(provider.AccountConfig{BaseURL: a.BaseURL, Key: a.Key, Options: options, Client: c})
}

// defaultProvider returns what a provider is before easel.yaml says anything.
func defaultProvider(name string) providerConfig {
	return providerConfig{Name: name, Adapter: name, Model: kindOf(name).DefaultModel, Concurrency: 100, Timeout: 5 * time.Minute,
		Deadline: 30 * time.Minute, ServerErrors: task.DefaultServerErrors, MaxWaits: 100, BaseDelay: 2 * time.Second, MaxDelay: 5 * time.Minute}
}

// defaultAccount returns the account that the environment alone makes.
func defaultAccount(adapter string, vars map[string]string) (accountConfig, error) {
	k := kindOf(adapter)
	a := accountConfig{Name: "main", KeyVariable: k.KeyVariable, BaseURL: k.BaseURL, Open: k.KeyOptional}
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
		k := kindOf(name)
		known := slices.ContainsFunc(listed, func(p providerConfig) bool { return p.Name == name })
		if known || !k.BuiltIn && vars[k.KeyVariable] == "" {
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
	ready := provider.Services{}
	var mistakes []error
	for _, p := range providers {
		s, err := service(p, client)
		if err != nil {
			mistakes = append(mistakes, err)
			continue
		}
		ready[p.Name] = s
	}
	return ready, mistakes
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
		built, err := connected(kindOf(p.Adapter), a, client.For(p.Name))
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
			Limits: provider.Limits{PerMinute: a.PerMinute, InFlight: a.InFlight}, Callbacks: a.Hooks, CallbackSecret: a.HookSecret})
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
	k := kindOf(p.Adapter)
	for _, a := range p.Accounts {
		if a.BaseURL != "" && strings.TrimRight(a.BaseURL, "/") != k.BaseURL {
			return ""
		}
	}
	return k.Console
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
