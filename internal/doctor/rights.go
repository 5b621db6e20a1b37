package doctor

import (
	"context"

	"github.com/easelqueue/easel/queue"
)

// checkRights does, as the configured user, what workers ask of Redis, and names what
// is refused with the rule that grants it.
func checkRights(ctx context.Context, q *queue.Queue) []Finding {
	refused, err := q.Rights(ctx)
	if err != nil {
		return []Finding{{Check: "redis rights", Result: Fail, Detail: err.Error(), Do: "Look at the other findings about Redis"}}
	}
	if len(refused) == 0 {
		return []Finding{{Check: "redis rights", Result: OK, Detail: "the user may do all that easel and asynq ask for"}}
	}
	var all []Finding
	for _, r := range refused {
		f := Finding{Check: "redis rights", Result: Warn, Detail: r.Command + " is refused: " + r.Err.Error() + "; it is for " + r.For}
		if r.Needed {
			f.Result = Fail
		}
		all = append(all, f)
	}
	all[len(all)-1].Do = "Grant the user: ACL SETUSER USER " + queue.Rule
	return all
}
