package web

import (
	"regexp"
	"strings"
	"sync"

	"github.com/easelqueue/easel/internal/human"
	"github.com/easelqueue/easel/task"
)

// say returns text in the language, for those texts of the pages that are the same each
// time but for a number that they begin with. What has no translation, as the words of services, stays as it is.
func say(l human.Language) func(text string) string {
	return func(text string) string {
		number := text[:len(text)-len(strings.TrimLeft(text, "0123456789 "))]
		if told, ok := chinese[text[len(number):]]; ok && l == human.Chinese {
			return number + told
		}
		if l == human.Chinese {
			return inPattern(text)
		}
		return text
	}
}

// remedy returns what can be done, as a sentence in the language; empty if the code says nothing.
func remedy(l human.Language) func(a task.Advice, about string) string {
	return func(a task.Advice, about string) string {
		if told := l.Advice(a, about); told != "" {
			return told + l.Of(".", "。")
		}
		return ""
	}
}

// advise is remedy for what a row says of a failure; empty if it does not.
func advise(l human.Language) func(e task.RowError) string {
	return func(e task.RowError) string {
		if !e.Advised() {
			return ""
		}
		return remedy(l)(e.ErrorAdvice, e.ErrorAbout)
	}
}

// withLengths is how many of the patterns, the first ones, take over lengths of time.
const withLengths = 4

// pattern is a text that holds something between its words.
type pattern struct {
	english *regexp.Regexp
	chinese string
}

// patterns are compiled when the first is looked for, since most commands show no page.
var patterns = sync.OnceValue(func() []pattern {
	return []pattern{
		{regexp.MustCompile(`^((?:[0-9.]+(?:ms|s|m|h|d))+)$`), "${1}"},
		{regexp.MustCompile(`^((?:[0-9.]+(?:ms|s|m|h|d))+) so far$`), "已 ${1}"},
		{regexp.MustCompile(`^done in ([0-9.a-z]+)$`), "用时 ${1}"},
		{regexp.MustCompile(`^waits, due in ([0-9a-z]+)$`), "等待，${1}后到期"},
		{regexp.MustCompile(`^being drawn, ([0-9]+%)$`), "正在绘制，${1}"},
		{regexp.MustCompile(`^waits, due just now$`), "等待，现在到期"},
		{regexp.MustCompile(`^([0-9]+) of ([0-9]+)$`), "${2} 次中 ${1} 次"},
		{regexp.MustCompile(`^Task ([0-9]+)$`), "任务 ${1}"},
		{regexp.MustCompile(`^There is no task ([0-9]+)\.$`), "没有任务 ${1}。"},
		{regexp.MustCompile(`^(?:the task|before) is "(.*)"; accepted are the ids of tasks, whole numbers from 1 on\.$`), "“${1}”不是任务编号：任务编号应为从 1 开始的整数。"},
		{regexp.MustCompile(`^Task ([0-9]+) has moved on since the page was shown: it was ([a-z]+), and is ([a-z]+) now\. Nothing was changed\. Look at it again\.$`), "页面显示之后任务 ${1} 已有变化：当时是 ${2}，现在是 ${3}。没有改动任何东西。请重新查看。"},
		{regexp.MustCompile(`^Task ([0-9]+) has moved on since the page was shown: a call of it was given up as charged, or was heard of after that\. Nothing was changed\. Look at it again\.$`), "页面显示之后任务 ${1} 已有变化：有人确认它的一次调用已计费并放弃了它，或者此后那次调用有了消息。没有改动任何东西。请重新查看。"},
		{regexp.MustCompile(`^Task ([0-9]+) has moved on since the page was shown: it was brought back meanwhile, and is ([a-z]+) again\. Nothing was changed\. Look at it again\.$`), "页面显示之后任务 ${1} 已有变化：它被重试过，现在又是 ${2}。没有改动任何东西。请重新查看。"},
		{regexp.MustCompile(`^Task ([0-9]+) has moved on since the page was shown: what is known of it has changed\. Nothing was changed\. Look at it again\.$`), "页面显示之后任务 ${1} 有了新的情况。没有改动任何东西。请重新查看。"},
		{regexp.MustCompile(`^Task ([0-9]+) is ([a-z]+) and cannot be [a-z]+: it has moved on since the page was shown\. Look at it again\.$`), "任务 ${1} 现在是 ${2}，不能这样操作：页面显示之后它已有变化。请重新查看。"},
		{regexp.MustCompile(`^A call of task ([0-9]+) was heard of since the page was shown, and is collected\. Nothing was changed\. Look at it again\.$`), "页面显示之后任务 ${1} 的一次调用有了消息，正在收取。没有改动任何东西。请重新查看。"},
		{regexp.MustCompile(`^Task ([0-9]+) has no call that was paid for and not collected\. Look at it again; Retry is enough\.$`), "任务 ${1} 没有已付费而未收取的调用。请重新查看；重试就够了。"},
		{regexp.MustCompile(`^Task ([0-9]+) has no call whose outcome is unknown any more\. Nothing was changed\. Look at it again\.$`), "任务 ${1} 已没有结果不明的调用。没有改动任何东西。请重新查看。"},
		{regexp.MustCompile(`^Nothing was changed: call ([0-9]+) was given up as charged, and a new one is paid for as well\. The task's page has a button for that\.$`), "没有改动任何东西：第 ${1} 次调用已计费并放弃，另画一张也要付费。任务的页面上有这个按钮。"},
		{regexp.MustCompile(`^The table ([a-z_]+) is being brought to a new version\. Nothing was changed, and nothing is lost\. Open the page again in a moment\.$`), "${1} 表正在升级到新版本。没有改动任何东西，也不会丢失任何东西。请稍后重新打开页面。"},
		{regexp.MustCompile(`^Another transaction has held the table ([a-z_]+) locked for more than five seconds\. Nothing was changed, and nothing is lost\. Open the page again when it has ended; pg_stat_activity shows what it does\.$`), "有别的事务锁住 ${1} 表超过了五秒。没有改动任何东西，也不会丢失任何东西。请等那个事务结束后重新打开页面；pg_stat_activity 会显示它在做什么。"},
		{regexp.MustCompile(`^Another transaction \(process ([0-9, ]+) of the database server\) has held the table ([a-z_]+) locked for more than five seconds\. Nothing was changed, and nothing is lost\. Open the page again when it has ended; pg_stat_activity shows what it does\.$`), "有别的事务（数据库服务器的进程 ${1}）锁住 ${2} 表超过了五秒。没有改动任何东西，也不会丢失任何东西。请等那个事务结束后重新打开页面；pg_stat_activity 会显示它在做什么。"},
		{regexp.MustCompile(`^([0-9]+) of the ([0-9]+) tasks are pending again\. Another transaction, of an app or of a person, holds rows of others locked; they were left as they are\. Go back and try again when it has ended\.$`), "${2} 个任务中有 ${1} 个已重新等待。其余的行被应用或人的事务锁住，保持原样。请返回，等那个事务结束后再试。"},
		{regexp.MustCompile(`^([0-9]+) of the ([0-9]+) tasks are pending again\. Another transaction, of an app or of a person, holds what the others need locked; they were left as they are\. Go back and try again when it has ended\.$`), "${2} 个任务中有 ${1} 个已重新等待。其余任务需要的内容被应用或人的事务锁住，保持原样。请返回，等那个事务结束后再试。"},
		{regexp.MustCompile(`^([0-9]+) of the ([0-9]+) tasks are pending again\. Another transaction, of an app or of a person, holds the table ([a-z_]+) locked; they were left as they are\. Go back and try again when it has ended\.$`), "${2} 个任务中有 ${1} 个已重新等待。${3} 表被应用或人的事务锁住，其余任务保持原样。请返回，等那个事务结束后再试。"},
		{regexp.MustCompile(`^Nothing was changed: (.+) cannot be asked about the call\. Look it up there, and say on the task's page whether it was charged\.$`), "没有改动任何东西：无法向 ${1} 询问这次调用。请到那里核对，然后在任务的页面上说明是否已计费。"},
	}
})

// inPattern tells a text in Chinese that is one of the patterns, and leaves others as they are.
func inPattern(text string) string {
	for i, p := range patterns() {
		if m := p.english.FindStringSubmatch(text); m != nil {
			told := p.english.ReplaceAllString(text, p.chinese)
			if i < withLengths {
				told = strings.Replace(told, m[1], human.Chinese.Length(m[1]), 1)
			}
			return told
		}
	}
	return text
}

// chinese holds the texts of the pages by the English ones.
var chinese = map[string]string{
	// The frame.
	"Skip to the content": "跳到内容", "Main": "主导航", "Gallery": "图库", "provider": "服务商", "reason": "原因", "Nothing to see with this filter": "没有符合条件的任务", "Show all tasks": "显示全部任务", "An empty easel": "空空的画架", "Ask for a picture and it appears here:": "提交一张图片，它就会出现在这里：", "Failed": "失败", "Operations": "运行状况", "Queues": "队列", "read-only": "只读",
	"Pages": "翻页", "← Newest": "← 最新", "Older →": "更早 →", "Back": "返回",

	// The failed tasks.
	"failed, waits for a decision": "失败，等待处理", "failed, charged and given up": "失败，已计费并放弃", "charged and given up": "个已计费并放弃", "; ": "；", "nothing waits for a decision": "没有等待处理的失败任务", "tasks failed and wait for a decision": "个任务失败，等待处理",
	"Who has to act:": "需要谁处理：", "Ask the provider about all": "全部向服务商询问", "Retry all": "全部重试", "Retry anyway: all": "仍要全部重试", "Retry anyway:": "仍要重试", "Ask the provider about": "向服务商询问", "of them": "个", "only ": "仅 ", "task failed and waits for a decision": "个任务失败，等待处理", "Ask the provider about it": "向服务商询问", "Retry it": "重试", ", the newest": "，最新的", "The newest": "最新的", "All kinds": "全部原因",
	"no reason was written down": "没有记录原因", "Decide…": "决定……", "…": "……", "Retry": "重试", "None on this page.": "本页没有。", "Nothing has failed": "没有失败的任务",
	"Tasks that easel gives up are listed here, with the reason and what to do about it.": "easel 放弃的任务列在这里，并注明原因和处理办法。",
	"Task": "任务", "Cancel": "取消",

	// What was asked for, where it stands, and when.
	"model": "模型", "size": "尺寸", "quality": "质量", "style": "风格", "steps": "步数", "cfg scale": "提示词强度", "seed": "种子", "watermark": "水印", "count": "数量", "input picture": "输入图片", "input photo": "输入照片",
	"user": "用户", "drama": "剧", "storyboard": "分镜", "subject": "对象类型", "subject id": "对象编号", "metadata": "元数据", "idempotency key": "幂等键",
	"priority": "优先级", "high": "高", "normal": "普通", "low": "低", "failed tries": "失败次数", "waits": "等待次数", "crashes": "崩溃次数", "delivery": "投递", "fence": "栅栏号", "worker": "工作进程", "provider's job": "服务商的任务", "file": "文件", "object": "存储地址", "none": "无",
	"created": "创建", "published": "发布", "due": "到期", "deadline": "截止", "started": "开始", "cancel asked for": "请求取消", "ended": "结束", "changed": "更改",

	// What a person is asked before many are retried.
	"Nothing to retry": "没有可重试的任务", "Nobody can be asked about these calls. Decide on the page of each task.": "无法询问这些调用。请在每个任务的页面上决定。",
	"more stay as they are: nobody can be asked about them. The page of each says where to look the call up.": "个任务保持不变：无法询问。每个任务的页面写明了到哪里核对。",
	"Ask about": "询问", "task": "个任务", "tasks": "个任务", "All that failed as": "所有失败原因为", "at": "在", ", as they stand now. Those that join them, or move on, in the meantime are left out.": "，以现在的状态为准。此后新加入的，或者状态有变化的，都不包括在内。",
	"One page is about so many at most, the newest of:": "一页最多处理这么多，取最新的；总数：",
	"this task": "这个任务", "all": "全部", "No failed task is left with the reason": "已没有这样失败的任务，原因",
	"The providers that can be asked are asked about each call. What they cannot tell comes back here, and what nobody can be asked about stays here; a call is sent again only if it certainly did not happen.": "能查询的服务商会被逐一询问。查不到结果的会回到这里，无法查询的留在这里；只有确定没有发生的调用才会重新发送。",
	"Each retry may call its provider again, and may cost money.": "每次重试都可能再次调用服务商，并可能产生费用。",

	// What a person decides about a call.
	"Look the call up at the provider": "到服务商处核对这次调用", "Three ways from here": "有三种处理办法",
	"Nobody but a person can find out whether the call was billed: this provider has no way to look it up by our id.": "只有人能查清这次调用是否计费：这家服务商不能用我们的编号查询。",
	"Open the provider's console": "打开服务商的控制台", "Ask the provider again": "再次询问服务商", "Ask again": "再次询问",
	"easel looks the call up by its own id. If the provider has it, its pictures are kept and nothing is bought twice. If it certainly did not happen, it is sent now. If the provider cannot tell, the task comes back here.": "easel 用自己的编号查询这次调用。服务商有记录，就收下图片，不会重复购买；确定没有发生，就现在发送；服务商也说不清，任务会回到这里。",
	"It was not charged: send it again": "没有计费：重新发送", "Only if you have looked in the provider's own records.": "请先在服务商自己的记录里核对。",
	"If the call was charged after all, you pay for it twice.": "如果其实已经计费，你会付两次钱。",
	"I have looked it up: this call was not charged":           "我已核对：这次调用没有计费",
	"Send it again":                                  "重新发送",
	"It was charged: give it up":                     "已经计费：放弃",
	"I have looked it up: this call was charged":     "我已核对：这次调用已经计费",
	"Give it up":                                     "放弃",
	"If it cannot be collected":                      "如果取不回来",
	"It is paid for as well.":                        "这一张也要付费。",
	"I give up what was paid for, and pay once more": "我放弃已付费的图片，再付一次钱",
	"Buy again":                                      "重新购买",
	"Retry collects what was paid for as often as you like, and does not pay for it twice. Only if that is in vain: give it up, and have a new one drawn.": "重试可以反复收取已付费的图片，不会再次购买。只有怎样都取不回来时，才放弃它，另画一张。",
	"The task stays failed and says so, with what the call cost if the price is known. Nothing is sent, and a picture that still arrives is kept.":         "任务保持失败并注明这一点；知道价格时会记下费用。不会再发送，之后仍到达的图片会保存。",

	// The story of a task.
	"Prompt": "提示词", "(no prompt)": "（没有提示词）", "Retry anyway": "仍要重试", "Not wanted": "不想要的内容", "Attempts": "尝试记录", "Attempt": "尝试", "No call was made.": "没有发出过调用。", "No call has been made yet.": "还没有调用过。", "Asked for": "请求", "Where it stands": "现状", "When": "时间",
	"The provider's reply": "服务商的应答", "Came too late": "来得太晚", "More": "更多", "account": "账号", "took": "用时", "cost": "费用", "sent": "发送", "no reply": "没有应答",
	"Download": "下载", "File": "文件", "Revised prompt": "改写后的提示词", "Browsers do not show this kind of file. It is stored as it came, to be downloaded.": "浏览器不能显示这种文件。它已原样保存，可以下载。",
	"provider's request id": "服务商的请求编号", "our id": "我们的编号", "endpoint": "接口地址", "answered": "应答于", "finished": "结束于", "price list": "价格表", "not known yet": "尚不知道",
	"pictures": "张图片", "A picture that browsers do not show": "一张浏览器不能显示的图片", "pictures that browsers do not show": "张浏览器不能显示的图片",
	"Pictures of a call that was cancelled or given up meanwhile. They were paid for, so they are kept; they are not the task's answer.": "这些图片来自已取消或已放弃的调用。它们付过费，所以保存在这里，但不是任务的结果。",
	"waits for a worker": "等待工作进程", "not in the queue yet": "尚未入队", "being drawn": "正在绘制", "cancelled by a person": "已由人取消", "managed by the app itself": "由应用自己管理",
	"written down before the call; no reply so far": "调用前已记录，尚无应答", "the provider has the job": "服务商已接受任务", "pictures are drawn, not yet stored": "图片已画好，尚未保存", "pictures are stored": "图片已保存", "nobody can say whether it happened": "无法确定是否发生", "unknown": "未知", "free": "免费", "none, the call did not happen": "无，调用没有发生", "certainly not carried out": "确定没有执行", "carried out, without a picture": "执行了，但没有图片",

	// Who has to act on a failure, and how.
	"Without a reason": "没有原因", "Whoever set it to failed": "把它设为失败的人", "Whoever archived it": "归档它的人", "Whoever stopped it": "停止它的人", "Whoever asked for it": "提出请求的人", "You, the operator": "你，运维人员", "Nobody": "无人",
	"You, the operator, once the provider is well":                                             "你，运维人员，等服务商恢复之后",
	"The row says failed but not why; it was not easel that wrote it. A retry works as usual.": "这一行写着失败但没有原因，不是 easel 写的。可以照常重试。",
	"Request refused": "请求被拒绝", "The request as it stands cannot be carried out: do what the reason says. A retry helps only if its cause lay outside the task and is mended; else enqueue a new one.": "这个请求无法照原样执行：请按原因处理。只有问题出在任务之外、并且已经解决时，重试才有用；否则请提交新任务。",
	"Not supported": "不支持", "This provider or model cannot do what was asked. Enqueue it for another one.": "这个服务商或模型做不到。请换一个提交。",
	"Key refused": "密钥被拒绝", "The provider refuses our key. Put a working key into the configuration, then retry.": "服务商拒绝了我们的密钥。请在配置里换上有效的密钥，然后重试。",
	"No money left": "余额不足", "The account at the provider has no credit or quota left. Top it up, then retry.": "服务商账号的余额或配额已用完。请充值后重试。",
	"Rate limited": "频率受限", "The provider kept asking us to wait. Lower the configured rate or ask the provider for more, then retry.": "服务商一直要求等待。请降低配置的频率，或向服务商申请更高限额，然后重试。",
	"Refused by moderation": "内容审核拒绝", "The provider refuses the prompt or the picture. A retry is refused again: change the words and enqueue a new task.": "服务商拒绝了提示词或图片。重试仍会被拒绝：请修改内容后提交新任务。",
	"Provider unreachable": "无法连接服务商", "The provider could not be reached or was too busy to begin. Retry when its status page is green.": "无法连接服务商，或它太忙没有开始。请等它的状态页恢复后重试。",
	"Provider broke": "服务商故障", "The provider failed while it worked. Retry when it is well again. Unless the reason says that nothing was billed, a call that it ran may be billed once more.": "服务商在处理时出错。请等它恢复后重试。除非原因里写明没有计费，否则已执行的调用可能再次计费。",
	"Unusable answer": "应答无法使用", "The provider answered with something that is no picture. If it happens again, its API has changed: look at the attempts.": "服务商的应答不是图片。如果再次出现，说明它的接口变了：请查看尝试记录。",
	"No answer in time": "超时没有应答", "The provider did not finish within its limit. Raise the limit or retry at a quieter hour.": "服务商没有在时限内完成。请延长时限，或在空闲时段重试。",
	"Result is gone": "结果已失效", "The picture that was paid for could not be had for as long as the provider keeps it. A retry looks for it again and does not pay for it twice; only the page of a task has a new one drawn, which is paid for as well.": "付过费的图片在服务商保留期内没能取到。重试会再找一次，不会再次购买；只有在任务页面上才能另画一张，那也要付费。",
	"Own storage refused": "自己的存储拒绝写入", "Our storage did not take the pictures. Free space or mend its access, then retry: pictures that the provider still has are not bought again.": "我们的存储没有收下图片。请腾出空间或修复权限，然后重试：服务商还保留的图片不会重复购买。",
	"Too late": "已过期限", "The task's own deadline passed. A retry runs without that deadline.": "任务自己的期限已过。重试时不再受它限制。",
	"Workers died": "工作进程崩溃", "Several workers died while they held this task. Read their logs, for memory above all, before you retry: it may kill the next one.": "多个工作进程在处理它时崩溃。重试之前请查看日志，首先看内存：它可能让下一个也崩溃。",
	"Archived by hand": "人工归档", "A person archived the delivery. Retry it when it may go on.": "有人把它归档了。可以继续时请重试。",
	"Stopped by hand": "人工停止", "A person cancelled the task while it was drawn. Retry it if it is wanted after all.": "有人在绘制时取消了它。如果还需要，请重试。",
	"Outcome unknown": "结果不明", "Nobody can say whether the provider ran and billed the call, so it is not sent again by itself. Decide on the page of each task: it says whether the provider can be asked, or where you look the call up.": "无法确定服务商是否执行并计费，所以不会自动重发。请在每个任务的页面上决定：那里写明能否询问服务商，或到哪里核对。",
	takesPart:     "它的一部分图片在工作进程丢失之前已经送到，存放在我们的存储里，所以这次调用已计费。重试会采用这些图片，不会购买。",
	retryCollects: "服务商已经接下这次调用，所以已计费。重试会收取它画的图片，不会再次调用。", collectedByItself: "丢失的调用又找到了。它画的图片会自动收取并完成任务，不会再购买。",
	keptByItself:           "服务商已经接下这次调用。它画的图片会自动收取，保存在任务旁边，不会再购买。",
	"Charged and given up": "已计费并放弃", "A person found that the call was billed, and its picture never came. On the page of a task a new one can be bought, which is paid for as well.": "有人查明这次调用已计费，而图片没有到来。要另画一张，请到任务的页面；那张也要付费。",
	"An earlier call was charged and given up": "先前有一次调用已计费并放弃",
	"As long as that stands nothing is bought for this task, and its last call is not sent again. Say first that you pay once more; then decide about the last call, which comes back here.": "只要它还算放弃，就不会为这个任务再购买，最后一次调用也不会重发。请先说明愿意再付一次钱；最后一次调用会回到这里，再作决定。",
	"If it is wanted after all": "如果仍然想要", "A call was charged, and its picture was given up. A new one can be drawn.": "有一次调用已计费，其图片已放弃。可以另画一张。",
	"The call was charged, and I pay once more": "这次调用已计费，我再付一次钱",
	"Fault of easel": "easel 的故障", "Something in easel or its configuration is wrong. The reason and the worker's log say what; retry when it is mended.": "easel 或它的配置有问题。原因和工作进程的日志会说明；修复后请重试。",

	// A cancelled task.
	"It was cancelled. A retry makes a new call, which may cost money.":                                                                  "任务已取消。重试会发出新的调用，可能产生费用。",
	"It was cancelled after a call was made. A retry collects what that call drew and does not pay for it twice.":                        "任务在发出调用之后取消。重试会收取那次调用画的图片，不会付两次钱。",
	"It was cancelled, and its picture came all the same. A retry makes the picture below the task's answer, and buys nothing.":          "任务已取消，图片还是来了。重试会把下面的图片作为任务的结果，不会购买。",
	"It was cancelled while nobody knew what became of its call. A retry asks the provider about the call first, where it can be asked.": "任务取消时还不清楚那次调用的结果。重试会先向服务商询问，如果能询问的话。",
	"storage key": "存储键", "bytes": "字节数", "source": "来源", "address": "地址",

	// What is refused.
	"Nothing here": "这里什么都没有", "There is no page at this address.": "这个地址没有页面。", "Not any more": "情况已变", "No such task": "没有这个任务", "There is no such task.": "没有这个任务。",
	"Read-only": "只读", "This site is read-only: tasks are retried and cancelled from the command line here.": "本站只读：请在命令行里重试和取消任务。",
	"Interrupted": "已中断", "The request was given up.": "请求已放弃。", "Not understood": "无法理解", "Too large": "太大", "Refused": "已拒绝", "Wrong address": "地址不对", "Nobody can be asked": "无人可以询问", "This pays again": "这要再付一次钱", "Its pictures are here": "它的图片就在这里",
	"The form cannot be read. Go back and press the button again.": "表单无法读取。请返回再按一次按钮。",
	"Locked by somebody else":                                      "被别人锁住",
	"Another transaction, of an app or of a person, has held the row of this task locked for five seconds, so nothing was changed. Go back and try again when it has ended.":                                                      "有应用或人的事务把这个任务的行锁住了五秒，所以什么都没有改动。请返回，等那个事务结束后再试。",
	"Somebody else has been writing to the database's file for more than five seconds and has not ended. Nothing was changed, and nothing is lost. Open the page again when they have: an sqlite3 within BEGIN is the usual one.": "有别人正在写数据库文件，超过五秒还没有结束。没有改动任何东西，也不会丢失任何东西。请等对方结束后重新打开页面；常见的情况是 sqlite3 停在 BEGIN 之内。",
	"Another transaction has kept what this needs locked for more than five seconds. Nothing was changed, and nothing is lost. Open the page again in a moment; pg_stat_activity shows who is idle in transaction.":               "有别的事务把这里需要的内容锁住了超过五秒。没有改动任何东西，也不会丢失任何东西。请稍后重新打开页面；pg_stat_activity 会显示谁停在事务之内。",
	"Not known whether it was done": "不清楚是否已完成",
	"The database has not said whether this was done, so it may have been. Open the page again, and look before you press the button once more.": "数据库没有说明这是否已完成，所以可能已经完成。请重新打开页面，先查看，再决定是否再按按钮。",
	"The database is away": "数据库没有应答",
	"The database does not answer, so nothing can be shown. Calls that are under way go on, and what they bring is kept until it is back. Start the database, or see what easel doctor says on the machine of this site.": "数据库没有应答，所以什么都无法显示。正在进行的调用会继续，结果会保留到它恢复。请启动数据库，或在本站的机器上运行 easel doctor 查看。",
	"Out of order": "出了故障", "This page cannot be made right now; the log of easel says why. Try again in a moment.": "现在无法生成这个页面；easel 的日志写明了原因。请稍后再试。",
	"This request was sent by another site's page, so nothing was changed. Use the buttons on easel's own pages.": "这个请求来自别的网站的页面，所以什么都没有改动。请使用 easel 自己页面上的按钮。",
	"This site does not answer to the name in the request. Open it under the host of EASEL_PUBLIC_URL.":           "本站不响应请求中的主机名。请用 EASEL_PUBLIC_URL 的主机名打开。",
	"tasks are on their way again.": "个任务已重新开始。", "One task is on its way again.": "一个任务已重新开始。",
	"One task stayed as it was: somebody else was faster, or its page asks for a decision.":         "一个任务保持不变：有人更快，或者要在它的页面上决定。",
	"tasks stayed as they were: somebody else was faster, or the page of each asks for a decision.": "个任务保持不变：有人更快，或者要在每个任务的页面上决定。",
}
