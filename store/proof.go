package store

import (
	"strings"

	"github.com/easelqueue/easel/task"
)

// What a person has said of a call, and what was inferred of one that its provider does not know,
// stands in its row, and is no proof: yieldsToProof is the condition that it has ended by that alone.
// disproved is what its row says once it is found again, and goes on to say.
var (
	yieldsToProof = "(state = 'rejected' AND error_msg = '" + saidNotCharged + "' OR state IN ('rejected', 'failed') AND error_kind IN (" + quoted(task.YieldToProof) + "))"
	disproved     = "CASE WHEN state = 'rejected' AND error_msg = '" + saidNotCharged + "' THEN '" + wasMade + "' WHEN state = 'failed' AND error_kind = 'charged' THEN '" + wasFound +
		"' WHEN state IN ('rejected', 'failed') AND error_kind IN (" + quoted(task.YieldToProof) + ") THEN '" + wasThere +
		"' WHEN error_msg IN ('" + wasMade + "', '" + wasFound + "', '" + wasThere + "') THEN error_msg END"
)

const (
	saidNotCharged = "a person found that this call was not charged"
	wasMade        = "a person found that this call was not charged, and it was found again since: the provider has run it"
	wasFound       = "a person gave this call up as charged, and it was found again since"
	wasThere       = "this call had ended without a picture, as far as was known, and it was found again since"
)

// quoted is a list of kinds in SQL.
func quoted(kinds []task.Kind) string {
	list := make([]string, len(kinds))
	for i, k := range kinds {
		list[i] = "'" + string(k) + "'"
	}
	return strings.Join(list, ", ")
}
