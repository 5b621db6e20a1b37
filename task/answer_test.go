package task

import "testing"

func TestAnswer(t *testing.T) {
	results := []Result{{ID: 5, GeneratedImageURL: "late"}, {ID: 6, GeneratedImageURL: "own"}, {ID: 7, GeneratedImageURL: "own"}}
	for _, c := range []struct {
		claim   string
		task    Task
		results []Result
		want    int64
	}{
		{"The one that the row names", Task{Standing: Standing{Status: Completed}, Outcome: Outcome{AnswerResultID: new(int64(7)), ImageURL: "late"}}, results, 7},
		{"Of a row that names none, the first that has its address", Task{Standing: Standing{Status: Completed}, Outcome: Outcome{ImageURL: "own"}}, results, 6},
		{"Of one whose answer is gone too", Task{Standing: Standing{Status: Completed}, Outcome: Outcome{AnswerResultID: new(int64(9)), ImageURL: "own"}}, results, 6},
		{"Failing that, the first", Task{Standing: Standing{Status: Completed}, Outcome: Outcome{ImageURL: "elsewhere"}}, results, 5},
		{"A task without results has none", Task{Standing: Standing{Status: Completed}, Outcome: Outcome{AnswerResultID: new(int64(7))}}, nil, 0},
		{"Nor has one that is not completed", Task{Standing: Standing{Status: Failed}, Outcome: Outcome{ImageURL: "own"}}, results, 0},
	} {
		t.Run(c.claim, func(t *testing.T) {
			got := int64(0)
			if r := c.task.Answer(c.results); r != nil {
				got = r.ID
			}
			if got != c.want {
				t.Errorf("it is %d, want %d", got, c.want)
			}
		})
	}
}
