package config

import (
	"fmt"
	"strings"

	"github.com/easelqueue/easel/internal/human"
	"github.com/easelqueue/easel/provider"
)

// notes returns what works but is probably not meant.
func notes(c *Config) []string {
	var all []string
	for _, p := range c.Providers {
		missing := p.MissingKeys()
		if len(missing) > 0 && len(missing) < len(p.Accounts) {
			all = append(all, fmt.Sprintf("provider %s works without some of its accounts: %s is not set", p.Name, strings.Join(missing, ", ")))
		}
		for _, a := range p.Accounts {
			if a.Callbacks && isLoopback(c.PublicHost()) {
				all = append(all, fmt.Sprintf("account %s/%s is to be called back, and EASEL_PUBLIC_URL is %s, where nobody reaches it", p.Name, a.Name, c.PublicURL))
			}
			if a.Key != "" && strings.HasPrefix(a.BaseURL, "http://") {
				all = append(all, fmt.Sprintf("account %s/%s sends its key over unencrypted http", p.Name, a.Name))
			}
		}
	}
	return append(all, drainNotes(c)...)
}

// drainNotes warns of a stop that cuts off calls which are being paid for.
func drainNotes(c *Config) []string {
	var slowest *provider.Service
	for _, name := range c.Services.Names() {
		s := c.Services[name]
		if len(s.Accounts) > 0 && !free(s) && (slowest == nil || s.Timeout > slowest.Timeout) {
			slowest = s
		}
	}
	if slowest == nil || slowest.Timeout <= c.Drain {
		return nil
	}
	return []string{fmt.Sprintf("EASEL_DRAIN is %s, shorter than the timeout of provider %s (%s): a worker that is stopped may cut off calls that are being paid for",
		human.Duration(c.Drain), slowest.Name, human.Duration(slowest.Timeout))}
}
