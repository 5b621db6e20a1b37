package web

import "github.com/easelqueue/easel/task"

// kindWords say of a kind of failure who has to act, and how.
type kindWords struct {
	Title string
	Who   string
	What  string
}

// vain reports whether a task that failed like that fails again however often it is tried.
func vain(k task.Kind) bool { return k == task.Moderated || k == task.Unsupported }

func wordsFor(k task.Kind) kindWords {
	if a, ok := wordsOf[k]; ok {
		return a
	}
	return kindWords{"Without a reason", "Whoever set it to failed", "The row says failed but not why; it was not easel that wrote it. A retry works as usual."}
}

var wordsOf = map[task.Kind]kindWords{
	task.Invalid: {"Request refused", "Whoever asked for it",
		"The request as it stands cannot be carried out: do what the reason says. A retry helps only if its cause lay outside the task and is mended; else enqueue a new one."},
	task.Unsupported: {"Not supported", "Whoever asked for it",
		"This provider or model cannot do what was asked. Enqueue it for another one."},
	task.Auth: {"Key refused", "You, the operator",
		"The provider refuses our key. Put a working key into the configuration, then retry."},
	task.Billing: {"No money left", "You, the operator",
		"The account at the provider has no credit or quota left. Top it up, then retry."},
	task.RateLimited: {"Rate limited", "You, the operator",
		"The provider kept asking us to wait. Lower the configured rate or ask the provider for more, then retry."},
	task.Moderated: {"Refused by moderation", "Whoever asked for it",
		"The provider refuses the prompt or the picture. A retry is refused again: change the words and enqueue a new task."},
	task.Unavailable: {"Provider unreachable", "You, the operator, once the provider is well",
		"The provider could not be reached or was too busy to begin. Retry when its status page is green."},
	task.ProviderError: {"Provider broke", "You, the operator, once the provider is well",
		"The provider failed while it worked. Retry when it is well again. Unless the reason says that nothing was billed, a call that it ran may be billed once more."},
	task.BadAnswer: {"Unusable answer", "You, the operator",
		"The provider answered with something that is no picture. If it happens again, its API has changed: look at the attempts."},
	task.Timeout: {"No answer in time", "You, the operator",
		"The provider did not finish within its limit. Raise the limit or retry at a quieter hour."},
	task.Expired: {"Result is gone", "You, the operator",
		"The picture that was paid for could not be had for as long as the provider keeps it. A retry looks for it again and does not pay for it twice; only the page of a task has a new one drawn, which is paid for as well."},
	task.Storage: {"Own storage refused", "You, the operator",
		"Our storage did not take the pictures. Free space or mend its access, then retry: pictures that the provider still has are not bought again."},
	task.Deadline: {"Too late", "Whoever asked for it",
		"The task's own deadline passed. A retry runs without that deadline."},
	task.Crashed: {"Workers died", "You, the operator",
		"Several workers died while they held this task. Read their logs, for memory above all, before you retry: it may kill the next one."},
	task.Archived: {"Archived by hand", "Whoever archived it",
		"A person archived the delivery. Retry it when it may go on."},
	task.Stopped: {"Stopped by hand", "Whoever stopped it",
		"A person cancelled the task while it was drawn. Retry it if it is wanted after all."},
	task.OutcomeUnknown: {"Outcome unknown", "You, the operator",
		"Nobody can say whether the provider ran and billed the call, so it is not sent again by itself. Decide on the page of each task: it says whether the provider can be asked, or where you look the call up."},
	task.Charged: {"Charged and given up", "Nobody",
		"A person found that the call was billed, and its picture never came. On the page of a task a new one can be bought, which is paid for as well."},
	task.Internal: {"Fault of easel", "You, the operator",
		"Something in easel or its configuration is wrong. The reason and the worker's log say what; retry when it is mended."},
}
