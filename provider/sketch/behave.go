package sketch

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/task"
)

const (
	maxWait   = time.Hour
	maxFaults = 20
	maxTimes  = 1000
	maxList   = 1000 // characters of a parameter that is a list
)

// fault is a failure that a number of attempts meets; 0 is all of them.
type fault struct {
	Kind  task.Kind `json:"kind"`
	Times int       `json:"times,omitempty"`
}

// serverError asks for a provider_error that the service admits and does not bill.
const serverError task.Kind = "server_error"

// faults are the failures that can be asked for, and whether the service would
// have carried out the call.
var faults = map[task.Kind]struct {
	executed task.Execution
	message  string
	advice   task.Advice
}{
	serverError:         {task.Executed, "the service failed by its own fault and bills nothing", ""},
	task.RateLimited:    {task.NotExecuted, "the service is asked too often", ""},
	task.Unavailable:    {task.NotExecuted, "the service is too busy to begin", ""},
	task.Auth:           {task.NotExecuted, "the service refuses the key", task.CheckKey},
	task.Billing:        {task.NotExecuted, "the service's account has no money left", task.TopUp},
	task.Invalid:        {task.NotExecuted, "the service refuses the request", task.CorrectRequest},
	task.Unsupported:    {task.NotExecuted, "the service cannot do that", task.LeaveOut},
	task.ProviderError:  {task.Unknown, "the service broke", ""},
	task.Timeout:        {task.Unknown, "the service gave no answer in time", ""},
	task.OutcomeUnknown: {task.Unknown, "the connection broke after the call was sent", ""},
	task.BadAnswer:      {task.Executed, "the service's answer cannot be used", ""},
	task.Moderated:      {task.Executed, "the service refuses the prompt or the picture", task.Rephrase},
	task.Expired:        {task.Executed, "the service no longer has the picture", ""},
}

// behave reads the parameters that make the service slow or failing.
func (j *job) behave(r provider.Request) error {
	s := provider.SettingsOf(r)
	mode := s.Enum("mode", "sync", "async")
	delay, late, retryAfter := s.Text("delay", 32), s.Text("late", 32), s.Text("retry_after", 32)
	fail, failImages := s.Text("fail", maxList), s.Text("fail_images", maxList)
	moderate, empty, dot := s.Bool("moderate"), s.Bool("empty"), s.Bool("dot")
	if err := s.Err(); err != nil {
		return err
	}
	for _, d := range []struct {
		name, value string
		into        *time.Duration
	}{{"delay", delay, &j.Delay}, {"late", late, &j.Late}, {"retry_after", retryAfter, &j.RetryAfter}} {
		if err := parseWait(d.name, d.value, d.into); err != nil {
			return err
		}
	}
	var err error
	if j.Fail, err = parseFaults(fail); err != nil {
		return err
	}
	if j.FailImages, err = parsePositions(failImages, r.Images); err != nil {
		return err
	}
	j.Async = mode == "async" || mode == "" && j.Delay > 0
	j.Moderate = moderate != nil && *moderate
	j.Empty = empty != nil && *empty
	j.Dot = dot != nil && *dot
	return nil
}

func parseWait(name, value string, into *time.Duration) error {
	if value == "" {
		return nil
	}
	d, err := time.ParseDuration(value)
	if err != nil || d < 0 || d > maxWait {
		return invalid("parameter %s is %q; accepted: a duration from 0s to %s such as 1.5s", name, value, maxWait)
	}
	*into = d
	return nil
}

// parseFaults reads "rate_limited:1,unavailable:2,auth": the first attempt meets
// the first, the next two the second, and all later ones the last.
func parseFaults(list string) ([]fault, error) {
	if list == "" {
		return nil, nil
	}
	var all []fault
	for entry := range strings.SplitSeq(list, ",") {
		kind, times, counted := strings.Cut(strings.TrimSpace(entry), ":")
		f := fault{Kind: task.Kind(kind)}
		if _, known := faults[f.Kind]; !known {
			return nil, invalid("parameter fail names %.64q; accepted are %s", kind, join(slices.Sorted(maps.Keys(faults))))
		}
		if counted {
			n, err := strconv.Atoi(times)
			if err != nil || n < 1 || n > maxTimes {
				return nil, invalid("parameter fail says %.64q for %s; accepted: 1 to %d times", times, kind, maxTimes)
			}
			f.Times = n
		}
		if n := len(all); n > 0 && all[n-1].Times == 0 {
			return nil, invalid("parameter fail lists %s after %s, which fails always; give that a number of times", kind, all[n-1].Kind)
		}
		all = append(all, f)
	}
	if len(all) > maxFaults {
		return nil, invalid("parameter fail lists %d failures; accepted are up to %d", len(all), maxFaults)
	}
	return all, nil
}

func parsePositions(list string, images int) ([]int, error) {
	if list == "" {
		return nil, nil
	}
	var all []int
	for entry := range strings.SplitSeq(list, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(entry))
		if err != nil || n < 0 || n >= images {
			return nil, invalid("parameter fail_images names %.64q; accepted are positions from 0 to %d", entry, images-1)
		}
		all = append(all, n)
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}

// failure returns what the given attempt of a task meets, nil if it goes well.
func (j job) failure(number int) *task.Failure {
	upTo := 0
	for _, f := range j.Fail {
		upTo += f.Times
		if f.Times == 0 || number <= upTo {
			return j.fault(f.Kind)
		}
	}
	if j.Moderate {
		return j.fault(task.Moderated)
	}
	return nil
}

func (j job) fault(kind task.Kind) *task.Failure {
	f := &task.Failure{Kind: kind, Executed: faults[kind].executed, Message: faults[kind].message, Advice: faults[kind].advice, Code: string(kind),
		Detail: "asked for by the task's parameters"}
	if kind == serverError {
		f.Kind, f.Unbilled = task.ProviderError, true
	}
	if kind == task.RateLimited || kind == task.Unavailable {
		f.RetryAfter = j.RetryAfter
	}
	return f
}

func join(kinds []task.Kind) string {
	return strings.Trim(strings.ReplaceAll(fmt.Sprint(kinds), " ", ", "), "[]")
}
