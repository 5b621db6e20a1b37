package human

import (
	"fmt"

	"github.com/easelqueue/easel/task"
)

// Advice says what can be done after a failure, one sentence without a full stop; empty for a
// code that this release does not know.
func (l Language) Advice(a task.Advice, about string) string {
	told, known := chineseAdvice[a]
	switch {
	case l != Chinese || !known:
		return a.Sentence(about)
	case about != "" && told.about != "":
		return fmt.Sprintf(told.about, about)
	}
	return told.plain
}

// chineseAdvice are the sentences of task in Chinese; about is with the argument.
var chineseAdvice = map[task.Advice]struct{ plain, about string }{
	task.Rephrase:         {"请修改提示词或输入图片", ""},
	task.Redraw:           {"请重试一次：另画一张可能会通过", ""},
	task.AskPlainly:       {"请更直白地要求画一张图片", ""},
	task.ShortenPrompt:    {"请缩短提示词", ""},
	task.UseEnglish:       {"请用英文写提示词", ""},
	task.WritePrompt:      {"请写明要画什么", ""},
	task.CorrectRequest:   {"请按服务商的说明改正请求", ""},
	task.CorrectWorkflow:  {"请改正工作流，或任务填入其中的内容；它用到的节点都要安装", ""},
	task.SaveImage:        {"请让工作流以保存图片的节点结束，例如 SaveImage 或 SaveAnimatedWEBP", "请用 SaveImage 替换 %s"},
	task.AddPlaceholder:   {"请去掉它，或在工作流里给它留出位置", "请去掉它，或在工作流里写入 %s"},
	task.LeaveOut:         {"请去掉它，或换一个服务商或模型", ""},
	task.UseParameters:    {"这个服务商不接受参数", "这个服务商的参数有：%s"},
	task.NameModel:        {"请写明服务商有的模型", "请写明服务商的模型，例如 %s"},
	task.SetModel:         {"请在任务里写明模型，或在 easel.yaml 里为这个服务商的所有任务设定（model:）", ""},
	task.ChooseImageModel: {"请选择能画图的模型，它的输出应是一个或多个地址", ""},
	task.ReplacePicture:   {"请提供能访问、能读取的输入图片", "请提供完整的输入图片：%s"},
	task.ShrinkPicture:    {"请提供更小的输入图片，或让服务器接受更大的", "请提供更小的输入图片：一次请求最多 %s"},
	task.FitPicture:       {"请提供更小的图片，或允许缩小它（fit_inputs）", ""},
	task.GiveAddress:      {"请提供 http 或 https 地址，或 base64 的 data URL", ""},
	task.GiveWebAddress:   {"请提供 http 或 https 地址，或把图片存放在对象存储里，由它提供地址", ""},
	task.AskForLess:       {"请减小尺寸或减少张数，或给服务器更多内存", ""},
	task.ExtendDeadline:   {"请设定更晚的 deadline_at，或重试：已过的期限会去掉", ""},
	task.InsertWithoutID:  {"请删除这一行，重新插入时不要写 id", ""},

	task.CheckKey:           {"请检查账号的密钥和它的权限", ""},
	task.GiveKey:            {"请给这个服务商设置密钥", "请在 easel 的环境变量里设置 %s"},
	task.CheckAccount:       {"请在服务商处检查账号：密钥、余额、地区，以及是否开通了这项服务", ""},
	task.OpenModel:          {"请在服务商处为账号开通这个模型，或换一个能用的", ""},
	task.TopUp:              {"请在服务商处为账号充值，或提高限额", "请在 %s 为账号充值，或提高限额"},
	task.PayForModel:        {"请在服务商处允许这个模型付费使用，或换一个模型", ""},
	task.RaiseQuota:         {"请在服务商处提高账号的配额，或等它重置", ""},
	task.RaiseModelLimit:    {"请在服务商处提高这个模型的限额，等它重置，或换一个模型", ""},
	task.ConfigureProvider:  {"请改正名称，或配置它：设置它的密钥，或在 easel.yaml 里写上它", ""},
	task.CheckBaseURL:       {"请检查服务商配置里的 base_url", ""},
	task.RestoreBaseURL:     {"请检查 base_url：它必须是任务开始时所用的地址", ""},
	task.CheckProxy:         {"请检查 base_url 以及是谁在应答：服务商前面可能有代理或防火墙", ""},
	task.CheckNetwork:       {"如果一直这样，请检查 base_url、DNS、代理和证书", ""},
	task.CheckServer:        {"请检查代理后面的服务器是否在运行", "请用 %s 启动服务器，并检查 base_url"},
	task.CheckProxyAccounts: {"请检查代理里的账号", ""},
	task.TurnOff:            {"请在账号的配置里关闭它", "请在账号的配置里关闭 %s"},

	task.Wait:            {"会自动再试，不会重复购买", ""},
	task.WaitForRelease:  {"由新版本的工作进程继续处理", ""},
	task.RetryByHand:     {"请重试", ""},
	task.RetryWhenWell:   {"没有计费：请等服务商恢复后重试", ""},
	task.RetryCollects:   {"重试会再取一次，不会重复付费", ""},
	task.RetryAsks:       {"重试会再询问一次，不会重复付费", ""},
	task.RetryTakes:      {"重试会用这些图片完成任务，只购买还缺的", ""},
	task.DecideByHand:    {"请到服务商处核对这次调用，能询问的也可让 easel 询问，然后决定", ""},
	task.ReadWorkerLogs:  {"请查看工作进程在这几次调用前后的日志，然后重试", ""},
	task.ReportToProject: {"工作进程的日志里有更多说明；请报告这个问题", ""},
}
