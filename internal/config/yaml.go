package config

import (
	"cmp"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/task"
)

// Provider is one entry under providers in easel.yaml.
type Provider struct {
	Name        string
	Kind        provider.Kind // of the service that its accounts are at
	Model       string
	Concurrency int
	Timeout     time.Duration
	Deadline    time.Duration
	OnUnknown   task.OnUnknown // empty leaves it to the adapter
	// ServerErrors is how many calls may follow those that the service failed by its own
	// fault and did not bill; HoldServerErrors waits for a person at the first.
	ServerErrors     int
	HoldServerErrors bool
	MaxWaits         int
	BaseDelay        time.Duration
	MaxDelay         time.Duration
	Accounts         []Account
	Prices           provider.Prices
}

// Account is one key at a service and what its owner grants.
type Account struct {
	Name           string
	KeyVariable    string // the environment variable that holds the key
	Key            provider.Secret
	BaseURL        string
	Options        map[string]string // what else the adapter knows
	PerMinute      int
	InFlight       int
	Callbacks      bool            // the service may call back at our public URL
	CallbackSecret provider.Secret // what it signs them with
	Open           bool            // the service may be used without a key
	Disabled       string          // why it cannot be used though it is configured; empty if it can
}

// Usable reports whether the account can be called: it has a key, or needs none, and
// nothing disables it.
func (a Account) Usable() bool {
	return a.Disabled == "" && (a.Key != "" || a.KeyVariable == "" || a.Open)
}

const (
	maxConfigFile  = 1 << 20
	maxProviders   = 64
	maxAccounts    = 64
	maxPrices      = 10_000
	maxConcurrency = 10_000
	maxGrant       = 100_000

	maxServerErrors = 20
)

// named matches names of providers and accounts. They become parts of queue
// names and Redis keys, so they hold no colon, slash or dot.
var named = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,47}$`)

const namedAccepted = "accepted are 1 to 48 of a-z, 0-9, - and _, beginning with a letter or digit"

// providers reads the whole file.
func (r *yamlReader) providers(text []byte) []Provider {
	root := r.root(text)
	if root == nil {
		return nil
	}
	var all []Provider
	for _, m := range root.members("providers", maxProviders) {
		all = append(all, r.provider(m))
	}
	root.done()
	return all
}

func (r *yamlReader) provider(m *mapping) Provider {
	if !named.MatchString(m.name) {
		r.refuse(m.at, m.path, "is not a name", namedAccepted)
	}
	kind, _ := r.kinds.Named(m.choice("adapter", m.name, r.kinds.Names()))
	p := defaultProvider(kind, m.name)
	p.Model = m.text("model", kind.DefaultModel, task.MaxText)
	p.Concurrency = m.integer("concurrency", p.Concurrency, 1, maxConcurrency, "")
	p.Timeout = m.duration("timeout", p.Timeout, time.Second, time.Hour)
	p.Deadline = m.duration("deadline", p.Deadline, time.Second, 7*24*time.Hour)
	p.OnUnknown = task.OnUnknown(m.choice("on_unknown", "", []string{string(task.Hold), string(task.Resend)}))
	p.ServerErrors = m.integer("server_errors", p.ServerErrors, 1, maxServerErrors, " (for none say on_server_error: hold)")
	p.HoldServerErrors = m.choice("on_server_error", "retry", []string{"retry", "hold"}) == "hold"
	p.MaxWaits = m.integer("max_waits", p.MaxWaits, 1, maxGrant, "")
	p.BaseDelay = m.duration("base_delay", p.BaseDelay, 10*time.Millisecond, time.Hour)
	p.MaxDelay = m.duration("max_delay", p.MaxDelay, 10*time.Millisecond, 24*time.Hour)
	m.order("timeout", p.Timeout, "deadline", p.Deadline)
	m.order("base_delay", p.BaseDelay, "max_delay", p.MaxDelay)
	p.Accounts = r.accounts(m, kind)
	for _, price := range m.sequence("prices", maxPrices) {
		p.Prices = append(p.Prices, r.price(price))
	}
	m.done()
	return p
}

// accounts reads the accounts; without any, the kind's own variable makes one.
func (r *yamlReader) accounts(m *mapping, k provider.Kind) []Account {
	var all []Account
	for _, a := range m.sequence("accounts", maxAccounts) {
		account := r.account(a, k)
		if slices.ContainsFunc(all, func(other Account) bool { return other.Name == account.Name }) {
			a.refuse("name", fmt.Sprintf("is %q, as that of another account", account.Name), "each account needs a name of its own")
		}
		all = append(all, account)
	}
	if len(all) > 0 {
		return all
	}
	account, err := defaultAccount(k, r.vars)
	if err != nil {
		r.mistakes = append(r.mistakes, err)
	}
	return []Account{account}
}

func (r *yamlReader) account(m *mapping, k provider.Kind) Account {
	a := Account{
		Name:      m.matching("name", "main", named, namedAccepted),
		BaseURL:   r.baseURL(m, k.BaseURL),
		PerMinute: m.integer("per_minute", 0, 0, maxGrant, " (no limit)"),
		InFlight:  m.integer("in_flight", 0, 0, maxGrant, " (no limit)"),
	}
	a.KeyVariable = r.keyVariable(m, k.KeyVariable)
	a.Key = r.key(m, a.KeyVariable)
	a.Open = k.KeyOptional
	if k.Callbacks {
		m.renamed("webhooks", "callbacks")
		m.renamed("webhook_secret", "callback_secret")
		a.Callbacks = m.choice("callbacks", "off", []string{"on", "off"}) == "on"
		a.CallbackSecret = r.secret(m, "callback_secret")
	}
	for _, o := range k.Options {
		if value := m.text(o.Name, "", o.MaxCharacters()); value != "" {
			if a.Options == nil {
				a.Options = make(map[string]string)
			}
			a.Options[o.Name] = value
		}
	}
	m.done()
	return a
}

var reference = regexp.MustCompile(`^\$\{([A-Za-z_][A-Za-z0-9_]{0,127})\}$`)

// keyVariable returns the variable that key refers to. A key written down is
// refused without being shown: files are copied, committed and backed up.
func (r *yamlReader) keyVariable(m *mapping, fallback string) string {
	text := m.text("key", "", maxConfigFile)
	if text == "" {
		return fallback
	}
	found := reference.FindStringSubmatch(text)
	if found == nil {
		m.refuse("key", "is written down in the file", "accepted is a reference to an environment variable, such as ${"+cmp.Or(fallback, "MY_KEY")+"}")
		return fallback
	}
	return found[1]
}

// secret returns what the variable that the field refers to holds, or nothing if
// the field is not given.
func (r *yamlReader) secret(m *mapping, field string) provider.Secret {
	text := m.text(field, "", maxConfigFile)
	if text == "" {
		return ""
	}
	found := reference.FindStringSubmatch(text)
	if found == nil {
		m.refuse(field, "is written down in the file", "accepted is a reference to an environment variable, such as ${MY_SECRET}")
		return ""
	}
	secret, err := secretOf(found[1], r.vars)
	switch {
	case err != nil:
		m.refuse(field, "refers to "+found[1]+", which "+err.Error(), "")
	case secret == "":
		m.refuse(field, "refers to "+found[1]+", which is not set", "set it, or leave the field out")
	}
	return secret
}

func (r *yamlReader) key(m *mapping, variable string) provider.Secret {
	key, err := secretOf(variable, r.vars)
	if err != nil {
		m.refuse("key", "refers to "+variable+", which "+err.Error(), "")
	}
	return key
}

// secretOf returns the value of a variable that holds a key. Keys travel in
// HTTP headers, so a line break pasted with one is refused here.
func secretOf(variable string, vars map[string]string) (provider.Secret, error) {
	key := provider.Secret(strings.TrimSpace(vars[variable]))
	if key == "" {
		return "", nil
	}
	return key, key.Check()
}

func (r *yamlReader) baseURL(m *mapping, fallback string) string {
	text := m.text("base_url", fallback, 2048)
	if text == "" {
		return ""
	}
	u, err := url.Parse(text)
	if err != nil || !plainURL(u) {
		m.refuse("base_url", "is not such a URL", "accepted is an http or https URL without user, query and fragment")
	}
	return strings.TrimRight(text, "/")
}

func (r *yamlReader) price(m *mapping) provider.Price {
	p := provider.Price{
		Model:    m.text("model", "", task.MaxText),
		Size:     m.text("size", "", task.MaxText),
		Quality:  m.text("quality", "", task.MaxText),
		Currency: m.matching("currency", "USD", currency, "accepted are three capital letters, such as USD"),
	}
	p.Version = m.required("from")
	from, err := time.Parse(time.DateOnly, p.Version)
	if err != nil && p.Version != "" {
		m.refuse("from", fmt.Sprintf("is %q", p.Version), "accepted is a day such as 2026-01-31")
	}
	p.From = from
	said := 0
	for name, to := range map[string]*int64{"per_image": &p.Micros, "per_million_input_tokens": &p.Input, "per_million_output_tokens": &p.Output} {
		amount := m.text(name, "", 64)
		if amount == "" {
			continue
		}
		said++
		if *to, err = parseMicros(amount); err != nil {
			m.refuse(name, fmt.Sprintf("is %q", amount), "accepted are 0 to 10000 with at most 6 decimals, such as 0.005")
		}
	}
	if said == 0 {
		m.refuse("per_image", "is missing", "a price says per_image, per_million_input_tokens or per_million_output_tokens")
	}
	m.done()
	return p
}

var currency = regexp.MustCompile(`^[A-Z]{3}$`)

var amount = regexp.MustCompile(`^([0-9]{1,5})(?:\.([0-9]{1,6}))?$`)

// parseMicros turns decimal text into millionths. It goes through no float, so
// 0.1 is exactly 100000.
func parseMicros(text string) (int64, error) {
	parts := amount.FindStringSubmatch(text)
	if parts == nil {
		return 0, fmt.Errorf("%q is not an amount", text)
	}
	micros, err := parseInt(parts[1]+(parts[2] + "000000")[:6], 0, 10_000_000_000)
	return int64(micros), err
}
