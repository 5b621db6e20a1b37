package task

// Seen is how a task stood when somebody looked at it. What he then says of it holds for
// that alone: each claim, and so each call, and each word of another makes delivery or
// fence move on. A Seen without a Status says that nobody has looked.
type Seen struct {
	Task     int64
	Delivery int
	Fence    int64
	Status   Status
}

// Seen returns how the task stood when it was read.
func (t *Task) Seen() Seen { return Seen{t.ID, t.Delivery, t.Fence, t.Status} }

// Looked reports whether somebody has looked.
func (s Seen) Looked() bool { return s.Status != "" }
