package main

import (
	"context"

	"github.com/easelqueue/easel/queue"
)

// checkRights does, as the configured user, what workers ask of Redis, and names what
// is refused with the rule that grants it.
func checkRights(ctx context.Context, q *queue.Queue) []finding {
	refused, err := q.Rights(ctx)
	if err != nil {
		return []finding{{Check: "redis rights", Result: bad, Detail: err.Error(), Do: "Look at the other findings about Redis"}}
	}
	if len(refused) == 0 {
		return []finding{{Check: "redis rights", Result: fine, Detail: "the user may do all that easel and asynq ask for"}}
	}
	var all []finding
	for _, r := range refused {
		f := finding{Check: "redis rights", Result: warn, Detail: r.Command + " is refused: " + r.Err.Error() + "; it is for " + r.For}
		if r.Needed {
			f.Result = bad
		}
		all = append(all, f)
	}
	all[len(all)-1].Do = "Grant the user: ACL SETUSER USER " + queue.Rule
	return all
}
