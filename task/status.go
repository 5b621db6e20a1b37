package task

// Status says where a task stands. There are five and no more: waiting for a
// retry, a rate limit or a scheduled time is Pending with a later RunAt.
type Status string

const (
	Pending    Status = "pending"
	Processing Status = "processing"
	Completed  Status = "completed"
	Failed     Status = "failed"
	Cancelled  Status = "cancelled"
)

// Statuses lists every status in the order of a task's life.
var Statuses = []Status{Pending, Processing, Completed, Failed, Cancelled}

// Final reports whether only a person's retry can move a task out of s.
func (s Status) Final() bool { return s == Completed || s == Failed || s == Cancelled }

// Valid reports whether s is one of the five.
func (s Status) Valid() bool {
	for _, known := range Statuses {
		if s == known {
			return true
		}
	}
	return false
}

// CanBecome reports whether a task may go from s to next.
func (s Status) CanBecome(next Status) bool {
	switch s {
	case Pending:
		return next == Processing || next == Failed || next == Cancelled
	case Processing:
		return next == Completed || next == Failed || next == Cancelled || next == Pending
	case Completed:
		return false
	case Failed, Cancelled:
		return next == Pending // a retry by hand
	}
	return false
}
