package provider

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/easelqueue/easel/internal/human"
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
	Console      string // the provider's page on which people look calls up; empty if none is known
	Needs        string // the variables of which one would give it an account
	Disabled     string // why an account of it cannot be used; empty if none is disabled
}

// Account is one key at a service and what its owner grants us.
type Account struct {
	Name     string
	Provider Provider
	Limits   Limits

	Callbacks      bool   // the service may call back
	CallbackSecret Secret // what it signs its callbacks with; empty if it does not, or we do not know
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
// same before a task is stored and before it is worked on. Input pictures that
// have yet to be brought into the form that the service wants are taken for good.
// The providers that t falls back to must be able to honour it as well.
func (s Services) Check(t *task.Task) (*Service, Call, error) {
	svc, c, err := s.check(t)
	if err != nil {
		return svc, c, err
	}
	return svc, c, s.checkFallbacks(t)
}

// checkFallbacks refuses a task whose other providers could not honour it, before
// it needs them.
func (s Services) checkFallbacks(t *task.Task) error {
	list, err := t.FallbackList()
	if err != nil {
		return err
	}
	for _, to := range list {
		other := *t
		other.Provider, other.Model = to.Provider, to.Model
		if _, _, err := s.check(&other); err != nil {
			f := *task.AsFailure(err)
			f.Message = fmt.Sprintf("the fallback %s cannot do this: %s", to, f.Message)
			return &f
		}
	}
	return nil
}

func (s Services) check(t *task.Task) (*Service, Call, error) {
	svc, err := s.For(t)
	if err != nil {
		return nil, Call{}, err
	}
	inputs, err := t.Inputs()
	if err != nil {
		return nil, Call{}, err
	}
	kinds := []string{"image/png", "image/jpeg", "image/webp", "image/gif"}
	if err := (Inputs{Bytes: maxInputData, Types: kinds}).Check("input picture", inputs...); err != nil {
		return nil, Call{}, err
	}
	p := svc.Accounts[0].Provider
	c, err := svc.Call(p, t, Batch{Images: svc.BatchSize(p, t, t.ImageCount), Inputs: pending(inputs, svc.Capabilities(p, t).Inputs)})
	return svc, c, err
}

// Unknown is the failure of a task whose provider is not configured.
func (s Services) Unknown(name string) *task.Failure {
	f := &task.Failure{Kind: task.Invalid, Executed: task.NotExecuted, Advice: task.ConfigureProvider,
		Message: fmt.Sprintf("provider %q is not configured; configured are: %s", cut(name, 80), s.list())}
	if near := human.Nearest(name, s.Names()); near != "" {
		f.Message += " (did you mean " + near + "?)"
	}
	return f
}

// list names those that have an account, and then those that only want one.
func (s Services) list() string {
	with, without := []string{}, []string{}
	for _, name := range s.Names() {
		if len(s[name].Accounts) == 0 {
			without = append(without, name)
		} else {
			with = append(with, name)
		}
	}
	text := cmp.Or(strings.Join(with, ", "), "none")
	if len(without) > 0 {
		text += "; without an account are: " + strings.Join(without, ", ")
	}
	return text
}

// For returns the service of t's provider, if it is configured and has an account.
func (s Services) For(t *task.Task) (*Service, error) {
	svc, ok := s[t.Provider]
	if !ok {
		return nil, s.Unknown(t.Provider)
	}
	if len(svc.Accounts) == 0 {
		return nil, svc.noAccount()
	}
	return svc, nil
}

// noAccount is the failure of a task of a service that has none.
func (s *Service) noAccount() *task.Failure {
	f := &task.Failure{Kind: task.Auth, Executed: task.NotExecuted, Message: fmt.Sprintf("provider %q has no account", s.Name), Advice: task.GiveKey, About: s.Needs}
	if s.Disabled != "" {
		f.Message, f.Advice, f.About = f.Message+": "+s.Disabled, task.CheckKey, ""
	}
	return f
}

// Capabilities returns what p can do for t.
func (s *Service) Capabilities(p Provider, t *task.Task) Capabilities {
	return p.Capabilities(s.model(t))
}

func (s *Service) model(t *task.Task) string { return cmp.Or(t.Model, s.DefaultModel) }

// Batch is what one call does for its task.
type Batch struct {
	Images int      // how many pictures it asks for
	Before int      // pictures of the task that came from calls before it
	Inputs []string // in the form that the service wants
}

// BatchSize returns how many of the wanted pictures one call of p may ask for.
func (s *Service) BatchSize(p Provider, t *task.Task, wanted int) int {
	wanted = max(wanted, 1)
	if most := s.Capabilities(p, t).MaxImages; most > 0 {
		return min(wanted, most)
	}
	return wanted
}

// Call maps a part of t to the call that p makes of it. It refuses what the model
// cannot do. A seed grows by the pictures before, so that calls which ask for one
// picture each do not draw the same one.
func (s *Service) Call(p Provider, t *task.Task, part Batch) (Call, error) {
	r := request(t, s.model(t), part)
	if err := r.fits(s.Name, p.Capabilities(r.Model)); err != nil {
		return Call{}, err
	}
	return p.Prepare(r)
}

// pending returns what stands for inputs until they have the form that the
// service wants.
func pending(inputs []string, form InputForm) []string {
	stand := make([]string, len(inputs))
	for i, u := range inputs {
		switch {
		case form == ByData && !strings.HasPrefix(u, "data:"):
			stand[i] = placeholder
		case form == ByUpload:
			stand[i] = uploading
		default:
			stand[i] = u
		}
	}
	return stand
}
