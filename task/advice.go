package task

import "fmt"

// Advice is a code for what can be done after a failure. Whoever presents the failure puts it
// into words, and adds the command or the button with which it is done. Some have an argument,
// which stands beside them as About: a name or a list, the same in every language.
type Advice string

// What whoever made the task can do.
const (
	Rephrase         Advice = "rephrase"
	Redraw           Advice = "redraw"
	AskPlainly       Advice = "ask_plainly"
	ShortenPrompt    Advice = "shorten_prompt"
	UseEnglish       Advice = "use_english"
	WritePrompt      Advice = "write_prompt"
	CorrectRequest   Advice = "correct_request"
	CorrectWorkflow  Advice = "correct_workflow" // of ComfyUI
	SaveImage        Advice = "save_image"       // About: the node to replace
	AddPlaceholder   Advice = "add_placeholder"  // About: what to write into the workflow
	LeaveOut         Advice = "leave_out"
	UseParameters    Advice = "use_parameters" // About: their names
	NameModel        Advice = "name_model"     // About: one for example
	SetModel         Advice = "set_model"
	ChooseImageModel Advice = "choose_image_model"
	ReplacePicture   Advice = "replace_picture" // About: the formats that are taken
	ShrinkPicture    Advice = "shrink_picture"  // About: the most that is taken
	FitPicture       Advice = "fit_picture"
	GiveAddress      Advice = "give_address"
	GiveWebAddress   Advice = "give_web_address"
	AskForLess       Advice = "ask_for_less"
	ExtendDeadline   Advice = "extend_deadline"
	InsertWithoutID  Advice = "insert_without_id"
)

// What whoever runs easel can do at the provider, or in its configuration.
const (
	CheckKey           Advice = "check_key"
	GiveKey            Advice = "give_key" // About: the variables
	CheckAccount       Advice = "check_account"
	OpenModel          Advice = "open_model"
	TopUp              Advice = "top_up" // About: where
	PayForModel        Advice = "pay_for_model"
	RaiseQuota         Advice = "raise_quota"
	RaiseModelLimit    Advice = "raise_model_limit"
	ConfigureProvider  Advice = "configure_provider"
	CheckBaseURL       Advice = "check_base_url"
	RestoreBaseURL     Advice = "restore_base_url"
	CheckProxy         Advice = "check_proxy"
	CheckNetwork       Advice = "check_network"
	CheckServer        Advice = "check_server" // About: an option that it wants
	CheckProxyAccounts Advice = "check_proxy_accounts"
	TurnOff            Advice = "turn_off" // About: what
)

// What whoever runs easel can do about the task itself.
const (
	Wait            Advice = "wait"
	WaitForRelease  Advice = "wait_for_release"
	RetryByHand     Advice = "retry"
	RetryWhenWell   Advice = "retry_when_well"
	RetryCollects   Advice = "retry_collects"
	RetryAsks       Advice = "retry_asks"
	RetryTakes      Advice = "retry_takes"
	DecideByHand    Advice = "decide"
	ReadWorkerLogs  Advice = "read_worker_logs"
	ReportToProject Advice = "report"
)

// AllAdvice lists every code, for presenters and their tests.
func AllAdvice() []Advice {
	all := make([]Advice, len(sentences))
	for i, s := range sentences {
		all[i] = s.advice
	}
	return all
}

// sentences are the codes in plain English, for those who read no more than error_msg. None
// names a command or a button: who reads it need have neither.
var sentences = []struct {
	advice Advice
	plain  string
	about  string // with the argument; empty for a code that has none
}{
	{Rephrase, "Change the prompt or the input pictures", ""},
	{Redraw, "Retry it once: another drawing may pass", ""},
	{AskPlainly, "Ask for a picture more plainly", ""},
	{ShortenPrompt, "Shorten the prompt", ""},
	{UseEnglish, "Write the prompt in English", ""},
	{WritePrompt, "Say what to draw", ""},
	{CorrectRequest, "Correct the request as the provider says", ""},
	{CorrectWorkflow, "Correct the workflow, or what the task puts into it; the nodes that it names have to be installed", ""},
	{SaveImage, "Let the workflow end in a node that saves pictures, such as SaveImage or SaveAnimatedWEBP", "Put SaveImage in the place of %s"},
	{AddPlaceholder, "Leave it out, or give it a place in the workflow", "Leave it out, or write %s into the workflow"},
	{LeaveOut, "Leave it out, or choose another provider or model", ""},
	{UseParameters, "This provider takes no parameters", "Parameters of this provider are: %s"},
	{NameModel, "Name a model that the provider has", "Name a model of the provider, such as %s"},
	{SetModel, "Name a model with the task, or for all of the provider's tasks in easel.yaml (model:)", ""},
	{ChooseImageModel, "Choose a model that draws, whose output is an address or a list of addresses", ""},
	{ReplacePicture, "Give an input picture that can be reached and read", "Give an input picture that is whole: %s"},
	{ShrinkPicture, "Give a smaller input picture, or let the server take larger ones", "Give a smaller input picture: a request may have %s"},
	{FitPicture, "Give a smaller picture, or allow that it is scaled down (fit_inputs)", ""},
	{GiveAddress, "Give an http or https address, or a data URL with base64", ""},
	{GiveWebAddress, "Give an http or https address, or keep pictures in object storage, from which they can be lent", ""},
	{AskForLess, "Ask for a smaller size or fewer pictures, or give the server more memory", ""},
	{ExtendDeadline, "Give it a later deadline_at, or retry it: that drops one that has passed", ""},
	{InsertWithoutID, "Delete the row and insert it without an id", ""},

	{CheckKey, "Check the account's key and what it may do", ""},
	{GiveKey, "Give the provider a key", "Set %s in the environment of easel"},
	{CheckAccount, "Check the account at the provider: its key, balance and region, and that the service is open for it", ""},
	{OpenModel, "Open the model for the account at the provider, or name one that it may use", ""},
	{TopUp, "Top up the account at the provider, or raise its limit", "Top up the account at %s, or raise its limit"},
	{PayForModel, "Let the model be paid for at the provider, or name another", ""},
	{RaiseQuota, "Raise the account's quota at the provider, or wait until it is renewed", ""},
	{RaiseModelLimit, "Raise the model's limit at the provider, wait until it is renewed, or name another model", ""},
	{ConfigureProvider, "Correct its name, or configure it: set its key or name it in easel.yaml", ""},
	{CheckBaseURL, "Check base_url in the provider's configuration", ""},
	{RestoreBaseURL, "Check base_url: it must be that under which the job was begun", ""},
	{CheckProxy, "Check base_url and who answers there: a proxy or firewall may stand before the provider", ""},
	{CheckNetwork, "Check base_url, DNS, proxy and certificates if this lasts", ""},
	{CheckServer, "See whether the server runs behind its proxy", "Start the server with %s, and check base_url"},
	{CheckProxyAccounts, "Look at the proxy's accounts", ""},
	{TurnOff, "Turn it off in the account's configuration", "Turn %s off in the account's configuration"},

	{Wait, "It is tried again by itself, and not bought again", ""},
	{WaitForRelease, "A worker of the later release goes on with it", ""},
	{RetryByHand, "Retry it", ""},
	{RetryWhenWell, "Nothing was billed: retry it when the provider is well again", ""},
	{RetryCollects, "A retry fetches it again and does not pay for it twice", ""},
	{RetryAsks, "A retry asks after it again and does not pay for it twice", ""},
	{RetryTakes, "A retry completes the task with them, and buys only what is still missing", ""},
	{DecideByHand, "Look the call up at the provider, or have easel ask it where that can be asked, and decide", ""},
	{ReadWorkerLogs, "Look at the logs of the workers around its attempts, then retry it", ""},
	{ReportToProject, "The worker's log says more; please report it", ""},
}

// Sentence is the advice in English, without a full stop; empty for a code that this release
// does not know.
func (a Advice) Sentence(about string) string {
	for _, s := range sentences {
		switch {
		case s.advice != a:
		case about != "" && s.about != "":
			return fmt.Sprintf(s.about, about)
		default:
			return s.plain
		}
	}
	return ""
}

// Ending is what the advice adds to the end of a reason, in English; empty for a code that is not known.
func (a Advice) Ending(about string) string {
	if sentence := a.Sentence(about); sentence != "" {
		return ". " + sentence
	}
	return ""
}
