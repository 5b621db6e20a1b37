// Package task holds the nouns of easel and the rules about them: a Task, its
// Attempts and Results, its statuses and what a Failure does to it. It knows no
// database, no queue and no provider, and imports the standard library only.
package task

import (
	"encoding/json"
	"fmt"
	"time"
)

// Bounds of what a task may hold. They are wide enough for every provider; a
// provider's own, narrower bounds are checked by its adapter.
const (
	MaxPrompt     = 32_000   // characters (runes), the longest any provider takes
	MaxText       = 255      // characters of provider, model, size, quality, style
	MaxURL        = 20 << 20 // bytes of one input picture as a URL
	MaxInputs     = 32 << 20 // bytes of all of them
	MaxMetadata   = 64 << 10
	MaxImages     = 15
	MaxReferences = 16
	MaxSteps      = 1_000
	MaxCFGScale   = 100
	MaxAttempts   = 100
	MaxParameters = 64
	MaxParameter  = 64 << 10 // bytes of one parameter's value
)

// DefaultMaxAttempts is how many tries a task has when its row does not say.
const DefaultMaxAttempts = 5

// Priority orders tasks of one provider. Any positive number is High, any
// negative one Low.
type Priority int

const (
	Low    Priority = -1
	Normal Priority = 0
	High   Priority = 1
)

func (p Priority) String() string {
	switch {
	case p > 0:
		return "high"
	case p < 0:
		return "low"
	}
	return "normal"
}

// Task is one row of image_generations: what to make, where it stands, and what came
// out. The tags are the column names, and the field names of the JSON that people see.
// Empty text stands for SQL's NULL.
type Task struct {
	ID int64 `json:"id"`
	Request
	Standing
	Outcome

	// ServerErrors is how many calls the service has failed by its own fault, unbilled,
	// one after the other; the worker counts them from the journal before Fail.
	ServerErrors int `json:"-"`
	// PhotoURL is the address of the photo that InputImageID names; loaded with a claim.
	PhotoURL string `json:"-"`
}

// Request is what a producer asks for: what to make, for whom, and how. Nothing of
// easel's own changes it, but for the provider and the model that a fallback names.
type Request struct {
	// What to make.
	Provider        string   `json:"provider"`
	Model           string   `json:"model,omitempty"`
	Prompt          string   `json:"prompt"`
	NegativePrompt  string   `json:"negative_prompt,omitempty"`
	Size            string   `json:"size,omitempty"` // "1024x1024", "2K" or "16:9", as the provider takes it
	Quality         string   `json:"quality,omitempty"`
	Style           string   `json:"style,omitempty"`
	Steps           *int     `json:"steps,omitempty"`
	CFGScale        *float64 `json:"cfg_scale,omitempty"`
	Seed            *int64   `json:"seed,omitempty"`
	Watermark       *bool    `json:"watermark,omitempty"`
	ImageCount      int      `json:"image_count"`
	InputImageURL   string   `json:"input_image_url,omitempty"`  // http(s) URL or data URL
	InputImageID    *int64   `json:"input_image_id,omitempty"`   // a row of photo
	ReferenceImages string   `json:"reference_images,omitempty"` // JSON array of URLs
	FitInputs       *bool    `json:"fit_inputs,omitempty"`       // whether input pictures may be scaled down to what the provider takes

	// For whom.
	UserID       *int64 `json:"user_id,omitempty"`
	DramaID      *int64 `json:"drama_id,omitempty"`
	StoryboardID *int64 `json:"storyboard_id,omitempty"`
	SubjectType  string `json:"subject_type,omitempty"`
	SubjectID    string `json:"subject_id,omitempty"`
	Metadata     string `json:"metadata,omitempty"` // JSON, opaque to easel

	// How.
	Priority       Priority   `json:"priority"`
	RunAt          time.Time  `json:"run_at"`
	DeadlineAt     *time.Time `json:"deadline_at,omitempty"`
	MaxAttempts    int        `json:"max_attempts"`
	IdempotencyKey string     `json:"idempotency_key,omitempty"`
	WebhookURL     string     `json:"webhook_url,omitempty"`
	Fallbacks      string     `json:"fallbacks,omitempty"` // JSON array of "provider" or "provider:model"

	// Parameters are the rows of generation_parameter; nil when not loaded.
	Parameters map[string]string `json:"parameters,omitempty"`
}

// Standing is where a task stands, which easel alone writes.
type Standing struct {
	RequestHash       string     `json:"request_hash,omitempty"`
	Status            Status     `json:"status"`
	FailedTries       int        `json:"attempt"`  // failed tries in this delivery
	Waits             int        `json:"waits"`    // times this delivery waited for a rate limit or for storage
	Crashes           int        `json:"crashes"`  // workers that died holding this delivery
	Delivery          int        `json:"delivery"` // the number of the delivery that is valid
	Fence             int64      `json:"fence"`
	LeaseUntil        *time.Time `json:"lease_until,omitempty"`
	Worker            string     `json:"worker,omitempty"`
	PublishedAt       *time.Time `json:"published_at,omitempty"`
	CancelRequestedAt *time.Time `json:"cancel_requested_at,omitempty"`
	RetriedAt         *time.Time `json:"retried_at,omitempty"` // when a person last brought it back
	Progress          int        `json:"progress"`             // percent
	ProviderJobID     string     `json:"task_id,omitempty"`
	StartedAt         *time.Time `json:"started_at,omitempty"`
	CompletedAt       *time.Time `json:"completed_at,omitempty"`
	CreatedAt         time.Time  `json:"created_at"`
	UpdatedAt         time.Time  `json:"updated_at"`
	DeletedAt         *time.Time `json:"deleted_at,omitempty"`
	RowError
}

// Outcome is what came out of a task, mirrored from its first result, and what it has cost.
type Outcome struct {
	ImageURL    string `json:"image_url,omitempty"`
	MinioURL    string `json:"minio_url,omitempty"`
	LocalPath   string `json:"local_path,omitempty"`
	Width       *int   `json:"width,omitempty"`
	Height      *int   `json:"height,omitempty"`
	APIResponse string `json:"api_response,omitempty"`
	CostMicros  *int64 `json:"cost_micros,omitempty"`
	Currency    string `json:"currency,omitempty"`
	// AnswerResultID is the result that the task shows as its own; see Answer.
	AnswerResultID *int64 `json:"answer_result_id,omitempty"`
}

// Inputs returns the addresses of the pictures to start from, in order: the
// input picture, the photo, the references. Each is an http(s) or a data URL.
func (t *Task) Inputs() ([]string, error) {
	var all []string
	for _, url := range []string{t.InputImageURL, t.PhotoURL} {
		if url != "" {
			all = append(all, url)
		}
	}
	if t.ReferenceImages == "" {
		return all, nil
	}
	var references []string
	if err := json.Unmarshal([]byte(t.ReferenceImages), &references); err != nil {
		return nil, &Failure{Kind: Invalid, Executed: NotExecuted, Cause: err,
			Message: fmt.Sprintf("reference_images is not a JSON array of URLs: %v", err)}
	}
	return append(all, references...), nil
}

// OwnedByApp reports whether the app keeps the row by itself, so that easel only shows it:
// the app has set it to processing and no worker has claimed it, or it was there
// before easel was (its fence is below zero).
func (t *Task) OwnedByApp() bool {
	return t.Fence < 0 || t.Status == Processing && t.Worker == ""
}

// Ref names one delivery of a task.
type Ref struct {
	Task     int64
	Delivery int
}

// Ref returns the delivery that is valid for the task as it was read.
func (t *Task) Ref() Ref { return Ref{t.ID, t.Delivery} }

// Token proves a claim of a task: the fence that it was given. It counts until somebody else
// has claimed the task, cancelled it or brought it back.
type Token struct{ Task, Fence int64 }

// Token returns that of the claim in which the task was read.
func (t *Task) Token() Token { return Token{t.ID, t.Fence} }

// NewAttempt returns a call that is to be made under the claim in which the task was read.
func (t *Task) NewAttempt(key string) Attempt {
	return Attempt{TaskID: t.ID, Delivery: t.Delivery, Fence: t.Fence, Worker: t.Worker, State: AttemptSending, Key: key}
}

func (r Ref) String() string { return fmt.Sprintf("%d.%d", r.Task, r.Delivery) }

// MaxTries returns how many failed tries the task may have before it fails.
func (t *Task) MaxTries() int {
	if t.MaxAttempts <= 0 {
		return DefaultMaxAttempts
	}
	return t.MaxAttempts
}

// AttemptState says how far a call that may cost money has come.
type AttemptState string

const (
	// AttemptSending is committed before the call is made. After a crash nothing else is known.
	AttemptSending AttemptState = "sending"
	// AttemptRejected means that the call certainly did not happen.
	AttemptRejected AttemptState = "rejected"
	// AttemptAccepted means that the provider has the job and Handle can ask for it.
	AttemptAccepted AttemptState = "accepted"
	// AttemptAnswered means that the pictures are known, in Answer, but not yet kept.
	AttemptAnswered AttemptState = "answered"
	// AttemptSucceeded means that the pictures are in our storage and on the task.
	AttemptSucceeded AttemptState = "succeeded"
	// AttemptFailed means that the provider ran the job, or may have billed it, and gave no picture.
	AttemptFailed AttemptState = "failed"
	// AttemptUnknown means that nobody can say whether the call happened.
	AttemptUnknown AttemptState = "unknown"
)

// Attempt is one call that may cost money, one row of generation_attempt. The
// row is committed before the call is made.
type Attempt struct {
	ID                int64        `json:"id"`
	TaskID            int64        `json:"task_id"`
	Delivery          int          `json:"delivery"`
	Number            int          `json:"number"`      // 1, 2, 3 … over all deliveries of the task
	Key               string       `json:"attempt_key"` // our own id of the call, sent where a provider echoes it
	Provider          string       `json:"provider"`
	Account           string       `json:"account,omitempty"`
	Endpoint          string       `json:"endpoint,omitempty"`
	RequestHash       string       `json:"request_hash,omitempty"`
	Images            int          `json:"images,omitempty"` // pictures it asked for; 0 is all of its task
	State             AttemptState `json:"state"`
	Handle            string       `json:"handle,omitempty"` // JSON, opaque, what a poll needs
	Answer            string       `json:"answer,omitempty"` // JSON, what keeping the pictures needs
	RawFiles          string       `json:"kept,omitempty"`   // JSON array of RawFile: bytes of the answer that are no picture for us
	ProviderRequestID string       `json:"provider_request_id,omitempty"`
	HTTPStatus        *int         `json:"http_status,omitempty"`
	RowError
	Unbilled     bool       `json:"unbilled,omitempty"`    // failed by the service's own fault, which it does not bill
	CostMicros   *int64     `json:"cost_micros,omitempty"` // null is unknown, 0 is free
	Currency     string     `json:"currency,omitempty"`
	PriceVersion string     `json:"price_version,omitempty"`
	Worker       string     `json:"worker,omitempty"`
	Fence        int64      `json:"fence"`
	SentAt       time.Time  `json:"sent_at"`
	AnsweredAt   *time.Time `json:"answered_at,omitempty"`
	FinishedAt   *time.Time `json:"finished_at,omitempty"`
}

// Result is one picture in our own storage, one row of generation_result.
type Result struct {
	ID                int64     `json:"id"`
	TaskID            int64     `json:"task_id"`
	AttemptID         int64     `json:"attempt_id"` // 0 if the app added it by itself
	Position          int       `json:"position"`
	GeneratedImageID  *int64    `json:"generated_image_id,omitempty"`
	GeneratedImageURL string    `json:"generated_image_url"`
	SourceURL         string    `json:"source_url,omitempty"`
	Model             string    `json:"model,omitempty"`
	ContentType       string    `json:"content_type"`
	FileSize          int64     `json:"file_size"`
	Width             int       `json:"width"`
	Height            int       `json:"height"`
	SHA256            string    `json:"sha256"`
	StorageKey        string    `json:"storage_key"`
	ThumbnailKey      string    `json:"thumbnail_key,omitempty"`
	Seed              *int64    `json:"seed,omitempty"`
	RevisedPrompt     string    `json:"revised_prompt,omitempty"`
	CreatedAt         time.Time `json:"created_at"`

	// LocalPath is where the picture lies on this machine's disk, if it does;
	// it is mirrored to the task and not a column of the result.
	LocalPath string `json:"-"`
	// ObjectURL is the picture's address in object storage, if it lies there;
	// mirrored to the task's minio_url.
	ObjectURL string `json:"-"`
}

// Money is an amount in millionths of its currency's unit.
type Money struct {
	Micros   int64  `json:"micros"`
	Currency string `json:"currency"` // ISO 4217
	Version  string `json:"version"`  // which entry of the price table said so
}
