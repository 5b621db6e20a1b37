package provider

import "regexp"

// modelRefused finds what services say of a model that an account may not use, or that
// they do not have.
var modelRefused = regexp.MustCompile(`(?i)` +
	`must be verified to use the model` +
	`|(does|do) not have access to (the )?model` +
	`|not (allowed|authorized|permitted) to use (the |this )?model` +
	"|\\bmodels?[ /:]+[`'\"]?[\\w./:@-]+[`'\"]?,? (does not exist|do not exist|is not found|was not found|not found)" +
	`|\bmodel(_| )(not_found|not found|does not exist)\b|\bno such model\b|\bunknown model\b` +
	`|no available channel for model` +
	`|模型不存在|无权(使用|访问).{0,8}模型|模型.{0,80}无可用渠道`)

// ofModel reports whether a refusal with that status and text is about one model. Many
// services say so in words alone: OpenAI's "must be verified to use the model" has
// neither a code nor a status of its own, and one-api's comes with a 503.
func ofModel(status int, text string) bool {
	switch status {
	case 200, 400, 403, 404, 422, 503:
		return modelRefused.MatchString(text)
	}
	return false
}
