package main

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/easelqueue/easel/internal/cli"
	"github.com/easelqueue/easel/task"
)

func TestBadInput(t *testing.T) {
	for claim, c := range map[string]struct {
		args []string
		env  string
		code int
		want string
	}{
		"An unknown provider is refused":                    {[]string{"enqueue", "x", "--provider", "nope"}, "", 2, `provider "nope" is not configured; configured are: sketch; without an account are: openai, volcengine`},
		"An empty prompt is refused":                        {[]string{"enqueue", " "}, "", 2, "prompt is empty"},
		"A missing prompt is refused":                       {[]string{"enqueue"}, "", 2, "PROMPT is missing"},
		"A number that is none has the bounds of its type":  {[]string{"enqueue", "x", "--cfg-scale", "1e999"}, "", 2, "accepted are numbers from -1.8e+308 to 1.8e+308"},
		"Negative steps are refused":                        {[]string{"enqueue", "x", "--steps", "-3"}, "", 2, "steps is -3; accepted are 1 to 1000"},
		"No pictures are refused":                           {[]string{"enqueue", "x", "--count", "0"}, "", 2, "--count is 0; accepted are 1 to 15"},
		"Broken references are refused":                     {[]string{"enqueue", "x", "--reference-images", "[broken"}, "", 2, "reference_images is not a JSON array"},
		"An unknown flag is refused":                        {[]string{"enqueue", "x", "--stpes", "3"}, "", 2, "unknown flag: --stpes; did you mean --steps?"},
		"A flag like no other is refused":                   {[]string{"list", "--wavelength", "3"}, "", 2, "unknown flag: --wavelength; see `easel list --help`"},
		"Too many pictures are refused":                     {[]string{"enqueue", "x", "--count", "99"}, "", 2, "--count is 99; accepted are 1 to 15"},
		"Too many tries are refused":                        {[]string{"enqueue", "x", "--max-attempts", "101"}, "", 2, "--max-attempts is 101; accepted are 1 to"},
		"A number beyond all has its bounds":                {[]string{"enqueue", "x", "--seed", "99999999999999999999"}, "", 2, "whole numbers from -9223372036854775808 to 9223372036854775807"},
		"The version is a command":                          {[]string{"--version"}, "", 2, "`easel version` says it"},
		"A topic of the help is known":                      {[]string{"help", "enviroment"}, "", 2, "did you mean easel help environment?"},
		"A subcommand of the help is known":                 {[]string{"help", "queues", "puase"}, "", 2, `command "puase" is not known`},
		"Help about nothing known says so":                  {[]string{"help", "nosuchthing"}, "", 2, `command "nosuchthing" is not known; see`},
		"A provider's name is small":                        {[]string{"enqueue", "x", "--provider", "OpenAI"}, "", 2, "(did you mean openai?)"},
		"A known provider says which key it wants":          {[]string{"enqueue", "x", "--provider", "gemini"}, "", 2, "Set GEMINI_API_KEY in the environment of easel"},
		"A known provider without an address says where":    {[]string{"enqueue", "x", "--provider", "comfyui"}, "", 2, "comfyui is configured in easel.yaml, with its base_url: docs/providers.md has an example"},
		"A slip in a known provider's name is corrected":    {[]string{"enqueue", "x", "--provider", "gemni"}, "", 2, "(did you mean gemini?)"},
		"A task does not fall back to where it begins":      {[]string{"enqueue", "x", "--fallback", "sketch"}, "", 2, "--fallback \"sketch\" is what the task begins with"},
		"A bucket's address has two strokes":                {[]string{"list"}, "EASEL_PICTURES=s3:/bucket", 2, "EASEL_PICTURES is \"s3:/bucket\"; accepted are a folder's path and s3://BUCKET/PREFIX"},
		"A folder is no address":                            {[]string{"list"}, "EASEL_DATA=s3://bucket", 2, "EASEL_DATA is \"s3://bucket\"; accepted is a folder's path"},
		"A Redis address begins with its scheme":            {[]string{"list"}, "EASEL_REDIS_URL=localhost:6379", 2, "EASEL_REDIS_URL has no redis:// at its beginning"},
		"A data folder that cannot be says what to do":      {[]string{"up"}, "EASEL_DATA=/proc/nope", 1, "or name another"},
		"A slip in a queue's name is corrected":             {[]string{"queues", "pause", "opnai"}, "EASEL_REDIS_URL=redis://127.0.0.1:1", 2, "(did you mean openai?)"},
		"A flag's value is checked":                         {[]string{"enqueue", "x", "--steps", "many"}, "", 2, `--steps is "many"; accepted are whole numbers`},
		"A missing id is named":                             {[]string{"show"}, "", 2, "the ID is missing; see `easel show --help`"},
		"One id too many is named":                          {[]string{"show", "1", "2"}, "", 2, "\"2\" is too much: `easel show` takes one ID"},
		"A word too many is named":                          {[]string{"list", "foo"}, "", 2, "\"foo\" is too much: `easel list` takes flags only"},
		"An unknown command under one that also works":      {[]string{"queues", "puase", "x"}, "", 2, "did you mean easel queues pause?"},
		"Up says where its address comes from":              {[]string{"up", "--port", "3"}, "", 2, "the address of the pages is EASEL_LISTEN"},
		"A prompt may begin with a dash after two":          {[]string{"enqueue", "-5"}, "", 2, "a prompt that begins with - comes after --"},
		"A duration is asked for with an example":           {[]string{"enqueue", "x", "--in", "tomorrow"}, "", 2, `--in is "tomorrow"; accepted are durations such as 90m`},
		"A name that is not known is refused before --help": {[]string{"enqeue", "--help"}, "", 2, "command \"enqeue\" is not known; did you mean easel enqueue?"},
		"A subcommand that is not known too":                {[]string{"queues", "puase", "--help"}, "", 2, "did you mean easel queues pause?"},
		"A status is small":                                 {[]string{"list", "--status", "Failed"}, "", 2, "; did you mean failed?"},
		"A slip in a kind is corrected":                     {[]string{"retry", "--kind", "charge"}, "", 2, "; did you mean charged?"},
		"A cancel is about no call":                         {[]string{"cancel", "5", "--attempt", "1"}, "", 2, "cancel takes no --attempt"},
		"A slip in a provider's name is corrected":          {[]string{"enqueue", "x", "--provider", "opnai"}, "", 2, "volcengine (did you mean openai?). Correct its name, or configure it"},
		"A size out of range is refused":                    {[]string{"enqueue", "x", "--size", "999999x999999"}, "", 2, "size"},
		"An unknown parameter is refused":                   {[]string{"enqueue", "x", "--param", "colour=red"}, "", 2, "colour"},
		"A parameter has a name and a value":                {[]string{"enqueue", "x", "--param", "colour"}, "", 2, "accepted is name=value"},
		"A parameter is given once":                         {[]string{"enqueue", "x", "--param", "a=1", "--param", "a=2"}, "", 2, "given twice"},
		"An input must exist":                               {[]string{"enqueue", "x", "--input", "nowhere.png"}, "", 2, "no such file"},
		"An unknown priority is refused":                    {[]string{"enqueue", "x", "--priority", "urgent"}, "", 2, "accepted are high, normal and low"},
		"A bad moment is refused":                           {[]string{"enqueue", "x", "--at", "tomorrow"}, "", 2, `--at is "tomorrow"`},
		"A deadline in the past is refused":                 {[]string{"enqueue", "x", "--deadline", "2001-01-01"}, "", 2, "still to come"},
		"A missing key names its variable":                  {[]string{"enqueue", "x", "--provider", "openai"}, "", 2, "Set OPENAI_API_KEY"},
		"Metadata is JSON":                                  {[]string{"enqueue", "x", "--metadata", "{"}, "", 2, "metadata is not JSON"},
		"An unknown command names the near one":             {[]string{"lst"}, "", 2, "did you mean easel list?"},
		"An unknown command of a group is refused":          {[]string{"migrate", "sideways"}, "", 2, `command "sideways" is not known`},
		"An id is a number":                                 {[]string{"show", "abc"}, "", 2, `"abc" is not the id of a task`},
		"An unknown status is refused":                      {[]string{"list", "--status", "done"}, "", 2, `--status is "done"; accepted are pending, processing`},
		"A page begins at an id":                            {[]string{"list", "--before", "-5"}, "", 2, "--before is -5; accepted is the id of a task"},
		"A fallback is named once":                          {[]string{"enqueue", "--provider", "sketch", "--fallback", "openai", "--fallback", "openai", "a fox"}, "", 2, "--fallback \"openai\" is given twice"},
		"A limit has bounds":                                {[]string{"list", "--limit", "0"}, "", 2, "--limit is 0; accepted are 1 to"},
		"A database that is not there says who makes it":    {[]string{"list"}, "", 1, "`easel up`"},
		"A database server that is down is named":           {[]string{"list"}, "EASEL_DATABASE_URL=postgres://u:" + canary + "@127.0.0.1:1/x", 1, "cannot reach the database 127.0.0.1:1/x"},
		"A wrong configuration is no failure":               {[]string{"list"}, "EASEL_DRAIN=x", 2, "EASEL_DRAIN"},
		"Retry wants to know which":                         {[]string{"retry"}, "", 2, "say which"},
		"Retry takes ids or flags":                          {[]string{"retry", "1", "--kind", "auth"}, "", 2, "not both"},
		"A script must mean a retry of many":                {[]string{"retry", "--status", "completed", "--yes"}, "", 2, "only failed and cancelled"},
	} {
		t.Run(claim, func(t *testing.T) {
			d := newShell(t)
			d.env = []string{c.env}
			if slices.Contains(c.args, "--at") || slices.Contains(c.args, "--deadline") {
				d.begin() // whose clock decides
			}
			got := d.easel(c.args...)
			got.wants(t, c.code, c.want)
			if got.out != "" || !strings.HasPrefix(got.errors, "easel: ") || strings.Contains(got.errors, "goroutine") {
				t.Errorf("printed %q and %q", got.out, got.errors)
			}
			asJSON := d.easel(append(c.args, "--json")...)
			var object struct{ Error cli.Problem }
			if err := json.Unmarshal([]byte(asJSON.errors), &object); err != nil || object.Error.Exit != c.code || object.Error.Message == "" {
				t.Errorf("as JSON: %q, %v", asJSON.errors, err)
			}
			if strings.Contains(got.errors+asJSON.errors, canary) {
				t.Error("a secret is shown")
			}
		})
	}
}

func TestAFallbackMayBeTheDefaultModelOfTheSameProvider(t *testing.T) {
	for _, c := range []struct {
		model, fallback string
		accepted        bool
	}{{"", "openai", false}, {"m", "openai", true}, {"m", "openai:m", false}, {"m", "openai:n", true}} {
		o := &order{}
		o.fallbacks = []string{c.fallback}
		err := o.otherFallbacks(&task.Task{Request: task.Request{Provider: "openai", Model: c.model}})
		if (err == nil) != c.accepted {
			t.Errorf("%+v: %v", c, err)
		}
	}
}
