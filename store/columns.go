package store

import (
	"fmt"
	"strings"
	"time"

	"github.com/easelqueue/easel/task"
)

// The columns of each table as they are read: empty text stands for NULL.
var (
	taskColumns = "id, " + requestList(requestColumn.read) + ", " + columns("*request_hash",
		"*status", "attempt", "waits", "crashes", "delivery", "fence", "lease_until", "*worker", "published_at",
		"cancel_requested_at", "retried_at", "progress", "*task_id", "*error_msg", "*error_kind", "*error_code", "*error_advice", "*error_about",
		"started_at", "completed_at", "created_at", "updated_at", "deleted_at",
		"*image_url", "*minio_url", "*local_path", "width", "height", "*api_response", "cost_micros", "*currency", "answer_result_id")

	// listColumns are those of many tasks: what may be megabytes stays where it is.
	listColumns = bounded(taskColumns, "input_image_url", "reference_images", "api_response")

	attemptColumns = columns(
		"id", "task_id", "delivery", "number", "attempt_key", "provider", "*account", "*endpoint", "*request_hash", "#images", "state",
		"*handle", "*answer", "*kept", "*provider_request_id", "http_status", "*error_kind", "*error_code", "*error_msg", "*error_advice", "*error_about",
		"unbilled", "cost_micros", "*currency", "*price_version", "*worker", "fence", "sent_at", "answered_at", "finished_at")

	resultColumns = columns(
		"id", "task_id", "#attempt_id", "position", "generated_image_id", "*generated_image_url", "*source_url", "*model",
		"*content_type", "#file_size", "#width", "#height", "*sha256", "*storage_key", "*thumbnail_key", "seed",
		"*revised_prompt", "created_at")
)

// bounded replaces text columns of a SELECT list so that long text is read as none.
func bounded(list string, names ...string) string {
	for _, n := range names {
		list = strings.Replace(list, "coalesce("+n+", '') AS "+n, "CASE WHEN length("+n+") <= 4096 THEN "+n+" ELSE '' END AS "+n, 1)
	}
	return list
}

// columns makes a SELECT list. A star marks text that may be NULL, a hash a
// number that may be.
func columns(names ...string) string {
	list := make([]string, len(names))
	for i, n := range names {
		switch n[0] {
		case '*':
			list[i] = fmt.Sprintf("coalesce(%s, '') AS %[1]s", n[1:])
		case '#':
			list[i] = fmt.Sprintf("coalesce(%s, 0) AS %[1]s", n[1:])
		default:
			list[i] = n
		}
	}
	return strings.Join(list, ", ")
}

// blamed are the columns of why something failed; their arguments are those of blame.
const blamed = "error_msg = ?, error_kind = ?, error_code = ?, error_advice = ?, error_about = ?"

func blame(e task.RowError) []any {
	return []any{null(e.ErrorMsg), null(string(e.ErrorKind)), null(e.ErrorCode), null(string(e.ErrorAdvice)), null(e.ErrorAbout)}
}

// blameless are blamed of what has not failed; with a note it has an error_msg all the same.
const (
	blameless = "error_msg = NULL, " + noFailure
	noFailure = "error_kind = NULL, error_code = NULL, error_advice = NULL, error_about = NULL"
)

// null is text as it is written: NULL if it is empty, and without what Postgres
// refuses in text, since what a provider says must not keep a row from being saved.
func null(text string) any {
	if text == "" {
		return nil
	}
	return strings.ReplaceAll(strings.ToValidUTF8(text, "\uFFFD"), "\x00", "\uFFFD")
}

// number is a number as it is written where 0 stands for NULL.
func number[T int | int64](n T) any {
	if n == 0 {
		return nil
	}
	return n
}

// utc is a time as it is written: SQLite compares times as text.
func utc(t *time.Time) any {
	if t == nil || t.IsZero() {
		return nil
	}
	return t.UTC().Truncate(time.Microsecond)
}
