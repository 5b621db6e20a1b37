// Package waiting answers one question: why does this task wait, since when, and who
// has to act? It looks at the row, the workers, the queue and what providers grant,
// and changes none of them.
package waiting

import (
	"encoding/json"
	"time"

	"github.com/easelqueue/easel/internal/human"
	"github.com/easelqueue/easel/task"
)

// Kind is what a task waits for.
type Kind string

const (
	Scheduled   Kind = "scheduled"    // the time that the app chose
	Retry       Kind = "retry"        // the next try, after what went wrong
	Storage     Kind = "storage"      // our own storage, which does not take pictures
	Unpublished Kind = "unpublished"  // being brought to the queue
	RedisAway   Kind = "redis_away"   // Redis, which does not answer
	NoWorker    Kind = "no_worker"    // a worker: none is running
	Unserved    Kind = "unserved"     // a worker that serves its provider
	Paused      Kind = "queue_paused" // somebody to resume its queue
	Closed      Kind = "closed"       // the account, which the provider refuses or slows down
	Full        Kind = "full"         // room: all calls that the account may have at a time are under way
	Rate        Kind = "rate"         // the account's calls a minute, which are used up
	Turn        Kind = "turn"         // its turn behind others
	Next        Kind = "next"         // a worker to look at it again: nothing is before it
	Preparing   Kind = "preparing"    // a worker, which has it and has not called yet
	Calling     Kind = "calling"      // the provider's answer
	Drawing     Kind = "drawing"      // the provider, which has the job
	Keeping     Kind = "keeping"      // its pictures to be stored
	Cancelling  Kind = "cancelling"   // its worker to stop
	LostWorker  Kind = "lost_worker"  // others to notice that its worker is gone
	App         Kind = "app"          // the app, which keeps the row by itself
	Decision    Kind = "decision"     // a person, since nobody can say whether a call was billed
	Collect     Kind = "collect"      // a lost call that was found again to be collected
	Unknown     Kind = "unknown"      // what cannot be seen from here
)

// Who has to act.
type Who string

const (
	Nobody    Who = "nobody" // it goes on by itself
	Operator  Who = "operator"
	Developer Who = "developer" // of the app
)

// Reason says what a task waits for. Its JSON carries the human.English sentence as text.
type Reason struct {
	Kind  Kind      `json:"kind"`
	Who   Who       `json:"who_acts"`
	Since time.Time `json:"since,omitzero"`
	Until time.Time `json:"until,omitzero"` // when it ends by itself, if that is known
	From  time.Time `json:"from,omitzero"`  // when the queue was paused, or such a worker was last seen, if that is known
	Name  string    `json:"name,omitempty"` // of the provider, account, queue or worker that it is about
	Count int       `json:"count,omitempty"`
	Said  string    `json:"said,omitempty"` // the words of the service or of the last failure

	Advice task.Advice `json:"advice,omitempty"` // what can be done about what Said says
	About  string      `json:"about,omitempty"`  // the argument of Advice
}

// MarshalJSON adds the human.English sentence.
func (r Reason) MarshalJSON() ([]byte, error) {
	type plain Reason
	return json.Marshal(struct {
		plain
		Text string `json:"text"`
	}{plain(r), r.Sentence(human.English)})
}
