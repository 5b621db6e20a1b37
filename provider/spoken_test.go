package provider_test

import (
	"strings"
	"testing"

	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/task"
)

func TestOnlyAnErrorThatStandsAloneProvesWithin200ThatNothingWasDrawn(t *testing.T) {
	table := provider.Faults{{Code: "slow", Kind: task.RateLimited, Executed: task.NotExecuted}, {Code: "slow_here", Kind: task.RateLimited, Executed: task.NotExecuted, Within2xx: true},
		{Code: "bad_key", Kind: task.Auth, Executed: task.NotExecuted}}
	const slow = `"error":{"code":"slow","message":"wait"}`
	const preview = `data: {"type":"image_generation.partial_image","b64_json":"iVBORw0KGgo="}` + "\n\n"
	for claim, c := range map[string]struct {
		body     string
		executed task.Execution
	}{
		"Alone":                          {`{` + slow + `}`, task.NotExecuted},
		"Beside nothing":                 {`{` + slow + `,"created":1,"data":[],"images":null,"output":{},"usage":{"output_tokens":0}}`, task.NotExecuted},
		"Beside errors for pictures":     {`{` + slow + `,"data":[{"error":{"code":"slow","message":"wait"}}]}`, task.NotExecuted},
		"Beside tokens":                  {`{` + slow + `,"created":1,"data":[],"usage":{"input_tokens":10,"output_tokens":4160}}`, task.Unknown},
		"Beside tokens deep down":        {`{` + slow + `,"usage":{"details":[{"images":"1"}]}}`, task.Unknown},
		"Beside data":                    {`{` + slow + `,"data":[{"seed":7}]}`, task.Unknown},
		"Beside an output":               {`{` + slow + `,"output":"abc"}`, task.Unknown},
		"Beside images":                  {`{` + slow + `,"images":["abc"]}`, task.Unknown},
		"Beside an address":              {`{` + slow + `,"cover":"https://cdn.test/1.png"}`, task.Unknown},
		"Beside a job":                   {`{` + slow + `,"task_id":"t1"}`, task.Unknown},
		"Behind a preview":               {preview + `data: {"type":"error",` + slow + `}` + "\n\n", task.Unknown},
		"Behind a ping":                  {`data: {"type":"ping"}` + "\n\n" + `data: {"type":"error",` + slow + `}` + "\n\n", task.NotExecuted},
		"A refused key beside tokens":    {`{"error":{"code":"bad_key","message":"no"},"usage":{"output_tokens":1}}`, task.Unknown},
		"A code with words of a picture": {`{"error":{"code":"slow","message":"too many requests to storage while saving"}}`, task.Unknown},
	} {
		t.Run(claim, func(t *testing.T) {
			code, text := "slow", "wait"
			if strings.Contains(c.body, "bad_key") {
				code = "bad_key"
			} else if strings.Contains(c.body, "saving") {
				text = "too many requests to storage while saving"
			}
			f := table.Failure(answeredBy(t, table, c.body), text, code)
			if f.Executed != c.executed || f.Code != code || c.executed == task.Unknown && f.Kind != task.ProviderError {
				t.Errorf("%s, executed %s, code %q: %v", f.Kind, f.Executed, f.Code, f)
			}
		})
	}
	for code, spends := range map[string]bool{"slow": true, "slow_here": false} {
		if f := table.Failure(answeredBy(t, table, `{"error":{"code":"`+code+`"}}`), "", code); f.SpendsTry != spends || f.Kind != task.RateLimited {
			t.Errorf("%s spends a try: %t", code, f.SpendsTry)
		}
	}
	if f := table.Failure(provider.Reply{Status: 429}, "", "slow"); f.SpendsTry {
		t.Error("a 429 spends a try")
	}
}

func TestWordsWithin200AreBelievedWhole(t *testing.T) {
	for body, want := range map[string]task.Kind{
		`{"error":"insufficient balance"}`:                                                                          task.Billing,
		`{"error":{"code":"insufficient_quota"}}`:                                                                   task.Billing,
		`{"error":{"message":"user quota is not enough","code":7}}`:                                                 task.Billing,
		`{"error":"Not enough credits, please top up"}`:                                                             task.Billing,
		`{"error":"quota exceeded."}`:                                                                               task.Billing,
		`{"code":9,"msg":"账户余额不足，请充值"}`:                                                                             task.Billing,
		`{"code":9,"msg":"欠费"}`:                                                                                     task.Billing,
		`{"error":"Invalid API key provided"}`:                                                                      task.Auth,
		`{"code":9,"msg":"无效的令牌"}`:                                                                                  task.Auth,
		`{"error":"Too many requests."}`:                                                                            task.RateLimited,
		`{"error":"rate limit exceeded for images"}`:                                                                task.RateLimited,
		`{"error":"storage quota exceeded while saving the generated image"}`:                                       task.ProviderError,
		`{"message":"credits deducted: 1","code":500}`:                                                              task.ProviderError,
		`{"error":"image generated but upload failed; 1 credit was deducted"}`:                                      task.ProviderError,
		`{"error":"load balancer lost the worker"}`:                                                                 task.ProviderError,
		`{"error":"rendered, but the safety balancer restarted"}`:                                                   task.ProviderError,
		`{"error":{"message":"Too many requests to storage while saving the picture"}}`:                             task.ProviderError,
		`{"error":"insufficient quota to store the rendered picture"}`:                                              task.ProviderError,
		`{"error":"insufficient disk"}`:                                                                             task.ProviderError,
		`{"error":"the balance is fine, the worker died"}`:                                                          task.ProviderError,
		`{"error":"remaining quota 7"}`:                                                                             task.ProviderError,
		`{"code":9,"msg":"剩余额度 7"}`:                                                                                 task.ProviderError,
		`{"error":"the api key's owner was told of the picture"}`:                                                   task.ProviderError,
		`{"error":"rate limit of the disk"}`:                                                                        task.ProviderError,
		`{"code":9,"msg":"图片已生成，余额不足"}`:                                                                             task.BadAnswer, // the words welcome the call
		`{"error":{"message":"图片已生成，余额不足","code":7}}`:                                                               task.ProviderError,
		`{"error":{"message":"upstream error: insufficient quota","code":"bad_response_status_code","type":"x_y"}}`: task.ProviderError,
	} {
		t.Run(body, func(t *testing.T) {
			f := answeredBy(t, nil, body).Bad("no picture")
			executed := task.NotExecuted
			if want == task.ProviderError || want == task.BadAnswer {
				executed = task.Unknown
			}
			if f.Kind != want || f.Executed != executed {
				t.Errorf("%s, executed %s; want %s, %s", f.Kind, f.Executed, want, executed)
			}
		})
	}
}

func TestOneMissingPictureDoesNotSpeakForAll(t *testing.T) {
	no := &task.Failure{Kind: task.RateLimited, Executed: task.NotExecuted}
	free := &task.Failure{Kind: task.ProviderError, Executed: task.Executed, Unbilled: true}
	doubt := &task.Failure{Kind: task.BadAnswer, Executed: task.Unknown}
	paid := &task.Failure{Kind: task.Moderated, Executed: task.Executed}
	for claim, c := range map[string]struct {
		missing []*task.Failure
		want    *task.Failure
	}{
		"All did not happen":                   {[]*task.Failure{no, no}, no},
		"All are not billed":                   {[]*task.Failure{free, free}, free},
		"One that is not billed was called":    {[]*task.Failure{no, free}, free},
		"An unknown one behind one not billed": {[]*task.Failure{free, doubt}, doubt},
		"An unknown one before one not billed": {[]*task.Failure{doubt, free}, doubt},
		"One that is billed behind all others": {[]*task.Failure{no, free, doubt, paid}, paid},
	} {
		t.Run(claim, func(t *testing.T) {
			var outputs []provider.Output
			for _, f := range c.missing {
				outputs = append(outputs, provider.Output{Err: f})
			}
			_, err := provider.Reply{Status: 200}.Done(outputs, nil)
			if f := task.AsFailure(err); f.Kind != c.want.Kind || f.Executed != c.want.Executed || f.Unbilled != c.want.Unbilled {
				t.Errorf("got %+v", f)
			}
		})
	}
}
