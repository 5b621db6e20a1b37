package provider

import "github.com/easelqueue/easel/task"

// canAsk reports whether somebody can be asked about a call whose outcome is not known:
// its job by a handle, its service by our key, or our storage, which has some of its pictures. Of
// accounts that this process does not have it says yes: a worker may have them.
func (s Services) canAsk(a task.Attempt) bool {
	svc, known := s[a.Provider]
	if !known || a.Handle != "" || a.HeldInPart() {
		return true
	}
	account, known := svc.Account(a.Account)
	if !known || svc.Retry.OnUnknown == task.Resend {
		return true
	}
	can := account.Provider.Capabilities(svc.DefaultModel)
	return can.Recover || can.Lookup
}

// Asks reports whether the provider can be asked about calls by our key, or is none of
// this process's.
func (s Services) Asks(provider string) bool {
	svc, known := s[provider]
	return !known || len(svc.Accounts) == 0 || s.canAsk(task.Attempt{Provider: provider, Account: svc.Accounts[0].Name})
}

// Undecided reports whether the last of a task's calls, in their order, waits for a
// person's word: nobody knows its outcome, nobody can be asked, and nothing that was
// paid for is left to collect.
func (s Services) Undecided(attempts []task.Attempt) bool {
	if len(attempts) == 0 {
		return false
	}
	last := attempts[len(attempts)-1]
	return last.State == task.AttemptUnknown && !task.AnyCollectable(attempts) && !s.canAsk(last)
}

// Console is the provider's own page on which a call can be looked up; empty if none is
// known.
func (s Services) Console(provider string) string {
	if svc, known := s[provider]; known {
		return svc.Console
	}
	return ""
}
