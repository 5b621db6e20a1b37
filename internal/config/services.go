package config

import (
	"errors"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/task"
)

// badFile is a file of an account that cannot be used. It disables the account, and
// not the worker: the others can work.
type badFile struct {
	path string
	err  error
}

func (b *badFile) Error() string { return b.path + ": " + b.err.Error() }

// connected makes the account ready to be called. An option that is a file is read here.
func connected(k provider.Kind, a Account, c *provider.Client) (provider.Provider, error) {
	options := maps.Clone(a.Options)
	for _, o := range k.Options {
		path := options[o.Name]
		if o.Check == nil || path == "" {
			continue
		}
		content, err := ReadFile(path, maxConfigFile)
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
func defaultProvider(k provider.Kind, name string) Provider {
	return Provider{Name: name, Kind: k, Model: k.DefaultModel, Concurrency: 100, Timeout: 5 * time.Minute,
		Deadline: 30 * time.Minute, ServerErrors: task.DefaultServerErrors, MaxWaits: 100, BaseDelay: 2 * time.Second, MaxDelay: 5 * time.Minute}
}

// defaultAccount returns the account that the environment alone makes.
func defaultAccount(k provider.Kind, vars map[string]string) (Account, error) {
	a := Account{Name: "main", KeyVariable: k.KeyVariable, BaseURL: k.BaseURL, Open: k.KeyOptional}
	key, err := secretOf(a.KeyVariable, vars)
	if err != nil {
		return a, &Mistake{Name: a.KeyVariable, Problem: err.Error()}
	}
	a.Key = key
	return a, nil
}

// withBuiltIn adds the providers that need no entry in easel.yaml: those that are
// built in, and those whose key is in the environment.
func withBuiltIn(kinds provider.Kinds, listed []Provider, vars map[string]string) ([]Provider, []error) {
	var mistakes []error
	for _, name := range kinds.Names() {
		k, _ := kinds.Named(name)
		known := slices.ContainsFunc(listed, func(p Provider) bool { return p.Name == name })
		if known || !k.BuiltIn && vars[k.KeyVariable] == "" {
			continue
		}
		account, err := defaultAccount(k, vars)
		if err != nil {
			mistakes = append(mistakes, err)
		}
		p := defaultProvider(k, name)
		p.Accounts = []Account{account}
		listed = append(listed, p)
	}
	return listed, mistakes
}

// services makes the providers ready to be called through client.
func services(providers []Provider, client *provider.Client) (provider.Services, []error) {
	ready := provider.Services{}
	var mistakes []error
	for _, p := range providers {
		s, err := p.Service(client)
		if err != nil {
			mistakes = append(mistakes, err)
			continue
		}
		ready[p.Name] = s
	}
	return ready, mistakes
}

// Service makes the accounts that can be used ready to be called through client, and notes
// why others are disabled.
func (p Provider) Service(client *provider.Client) (*provider.Service, error) {
	s := &provider.Service{
		Name: p.Name, DefaultModel: p.Model, Concurrency: p.Concurrency, Timeout: p.Timeout, Deadline: p.Deadline, Prices: p.Prices,
		Retry: task.Retry{Base: p.BaseDelay, Cap: p.MaxDelay, MaxWaits: p.MaxWaits, OnUnknown: p.OnUnknown,
			ServerErrors: p.ServerErrors, HoldServerErrors: p.HoldServerErrors},
		Needs: strings.Join(p.MissingKeys(), ", "),
	}
	for i, a := range p.Accounts {
		if !a.Usable() {
			continue
		}
		built, err := connected(p.Kind, a, client.For(p.Name))
		var bad *badFile
		if errors.As(err, &bad) {
			p.Accounts[i].Disabled = bad.Error()
			s.Disabled = "account " + a.Name + " is disabled: " + bad.Error()
			continue
		}
		if err != nil {
			return nil, &Mistake{Name: "providers." + p.Name + " account " + a.Name, Problem: "cannot be used: " + err.Error()}
		}
		s.Accounts = append(s.Accounts, provider.Account{Name: a.Name, Provider: provider.Scrubbed(built, a.Key, a.CallbackSecret),
			Limits: provider.Limits{PerMinute: a.PerMinute, InFlight: a.InFlight}, Callbacks: a.Callbacks, CallbackSecret: a.CallbackSecret})
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
func console(p Provider) string {
	for _, a := range p.Accounts {
		if a.BaseURL != "" && strings.TrimRight(a.BaseURL, "/") != p.Kind.BaseURL {
			return ""
		}
	}
	return p.Kind.Console
}

// free reports whether a call of the service costs nothing.
func free(s *provider.Service) bool {
	return len(s.Accounts) > 0 && s.Accounts[0].Provider.Capabilities(s.DefaultModel).Free
}

// Client is what all adapters call through. Its downloads are guarded: their
// addresses come from services and from those who enqueue.
func (c *Config) Client() *provider.Client {
	return &provider.Client{HTTP: &http.Client{Transport: provider.NewTransport()}, Downloads: &http.Client{Transport: c.Fetch.Transport()},
		Memory: c.Memory, Temp: c.Temp()}
}

// ownHosts are the hosts, with their ports, that the accounts name. What a service
// of one's own draws lies there, in whatever network that is.
func ownHosts(providers []Provider) (hosts []string) {
	for _, p := range providers {
		for _, a := range p.Accounts {
			u, err := url.Parse(a.BaseURL)
			if err != nil || u.Host == "" || !a.Usable() {
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

// MissingKeys names the variables that would give the provider more accounts.
func (p Provider) MissingKeys() []string {
	var names []string
	for _, a := range p.Accounts {
		if !a.Usable() && a.Disabled == "" {
			names = append(names, a.KeyVariable)
		}
	}
	return names
}
