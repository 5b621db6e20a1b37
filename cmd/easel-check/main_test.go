package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/easelqueue/easel/check"
)

const evidence = "../../check/testdata/good"

// spoiled is a copy of the good evidence with a file changed.
func spoiled(t *testing.T, file string, change func(string) string) string {
	t.Helper()
	folder := t.TempDir()
	if err := os.CopyFS(folder, os.DirFS(evidence)); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(folder, file)
	data, err := os.ReadFile(name)
	if err == nil {
		err = os.WriteFile(name, []byte(change(string(data))), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return folder
}

func emptyQueue(string) string { return "[]" }

func TestRun(t *testing.T) {
	broken := spoiled(t, "ledger.jsonl", func(s string) string { return s + "{" })
	drifted := spoiled(t, "redis.json", emptyQueue)
	for _, c := range []struct {
		claim          string
		args           []string
		code           int
		stdout, stderr string
	}{
		{"Clean evidence ends with 0", []string{"--must-bite", evidence}, 0, "I3   holds           nothing is bought twice", ""},
		{"What is not judged says so", []string{evidence}, 0, "I12  not applicable  webhooks are delivered (there is no book of webhooks)", ""},
		{"Counts are printed", []string{evidence}, 0, "billed 13, of them again 3; duplicates 1, unknown 1, late 2", ""},
		{"A violation ends with 1", []string{drifted}, 1, "I7: task 8 (t-000008): is pending, and delivery 8.0 is not in the queue", ""},
		{"A violation has its story", []string{drifted}, 1, "in the end: pending", ""},
		{"Flags may follow the folder", []string{drifted, "--json"}, 1, `"id": "I7"`, ""},
		{"A limit is passed on", []string{"--clock", "-1h", evidence}, 2, "", "clock is -1h0m0s; accepted are durations above zero"},
		{"A folder that is not there ends with 2", []string{t.TempDir()}, 2, "", "run.json"},
		{"Evidence that cannot be read ends with 2", []string{broken}, 2, "", "ledger.jsonl line"},
		{"No folder ends with 2", nil, 2, "", "usage: easel-check"},
		{"Two folders end with 2", []string{evidence, evidence}, 2, "", "usage: easel-check"},
		{"A flag that is none ends with 2", []string{"--fix", evidence}, 2, "", "-fix"},
		{"Help is no mistake", []string{"--help"}, 0, "", "must-bite"},
	} {
		t.Run(c.claim, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			if code := run(c.args, &stdout, &stderr); code != c.code {
				t.Errorf("ended with %d, want %d", code, c.code)
			}
			if !strings.Contains(stdout.String(), c.stdout) || !strings.Contains(stderr.String(), c.stderr) || c.stderr == "" && stderr.Len() > 0 {
				t.Errorf("printed\n%s\nand complained\n%s", &stdout, &stderr)
			}
		})
	}
	t.Run("JSON is a report", func(t *testing.T) {
		var stdout bytes.Buffer
		run([]string{drifted, "--json"}, &stdout, &stdout)
		var report check.Report
		if err := json.Unmarshal(stdout.Bytes(), &report); err != nil || report.OK || len(report.Stories) != 1 {
			t.Errorf("%v in %s", err, &stdout)
		}
	})
	t.Run("A hundred violations are listed, and the rest counted", func(t *testing.T) {
		var out bytes.Buffer
		v := check.Judgement{ID: "I1", Violations: make([]check.Violation, 130)}
		violations(&out, v)
		if got := out.String(); strings.Count(got, "\n") != 102 || !strings.Contains(got, "I1: 30 more") {
			t.Errorf("printed %s", got)
		}
	})
}
