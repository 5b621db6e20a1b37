package provider

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/easelqueue/easel/task"
)

// Service is one configured provider: its accounts and the rules for calling them.
type Service struct {
	Name         string
	DefaultModel string
	Accounts     []Account
	Concurrency  int           // tasks one worker process works on at a time
	Timeout      time.Duration // of one paid call
	Deadline     time.Duration // of one attempt from its call to its last poll
	Retry        task.Retry
	Prices       Prices
	Setup        string // what would give it an account, one sentence; said while it has none
}

// Account is one key at a service and what its owner grants us.
type Account struct {
	Name     string
	Provider Provider
	Limits   Limits
}

// Limits is what a service grants an account, held across all workers. Zero is no limit.
type Limits struct {
	PerMinute int // calls that may cost money
	InFlight  int // jobs at a time
}

// Account returns the account of that name.
func (s *Service) Account(name string) (Account, bool) {
	i := slices.IndexFunc(s.Accounts, func(a Account) bool { return a.Name == name })
	if i < 0 {
		return Account{}, false
	}
	return s.Accounts[i], true
}

// Services are all configured providers by name.
type Services map[string]*Service

// Names returns the providers' names in order.
func (s Services) Names() []string { return slices.Sorted(maps.Keys(s)) }

// Check refuses t if its provider is unknown or cannot honour it, and otherwise
// returns its service and the call that it asks for. It does no I/O, and is the
// same before a task is stored and before it is worked on.
func (s Services) Check(t *task.Task) (*Service, Call, error) {
	svc, ok := s[t.Provider]
	if !ok {
		return nil, Call{}, &task.Failure{Kind: task.Invalid,
			Message: fmt.Sprintf("provider %q is not configured; configured are: %s", t.Provider, strings.Join(s.Names(), ", "))}
	}
	if len(svc.Accounts) == 0 {
		return nil, Call{}, &task.Failure{Kind: task.Auth,
			Message: fmt.Sprintf("provider %q has no account", t.Provider), Next: cmp.Or(svc.Setup, "Give it a key: see `easel doctor`")}
	}
	r, err := request(t, svc.DefaultModel)
	if err != nil {
		return nil, Call{}, err
	}
	p := svc.Accounts[0].Provider
	if err := r.fits(svc.Name, p.Capabilities(r.Model)); err != nil {
		return nil, Call{}, err
	}
	c, err := p.Prepare(r)
	return svc, c, err
}
