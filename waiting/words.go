package waiting

import (
	"fmt"
	"strings"
	"time"

	"github.com/easelqueue/easel/internal/human"
)

// words are the sentences of a reason: %[1]s is its name, %[2]d its count.
type words struct{ en, zh string }

var sentences = map[Kind]words{
	Scheduled:   {"waits for the time that it was scheduled for", "等待预定的时间"},
	Retry:       {"waits for its next try", "等待下一次重试"},
	Storage:     {"waits for our storage, which did not take its pictures", "等待存储恢复：图片存不进去"},
	Unpublished: {"is being brought to the queue", "正在送入队列"},
	RedisAway:   {"waits for Redis, which does not answer", "等待 Redis：它没有应答"},
	NoWorker:    {"waits for a worker: none is running", "等待工作进程：一个也没有运行"},
	Unserved:    {"waits for a worker that serves %[1]s: none of those that run does", "等待能处理 %[1]s 的工作进程：正在运行的都不处理它"},
	Paused:      {"waits for the queue %[1]s, which is paused", "等待队列 %[1]s：它被暂停了"},
	Closed:      {"waits for the account %[1]s, which takes no calls now", "等待账号 %[1]s：它暂时不能调用"},
	Full:        {"waits for room at %[1]s: %[2]d calls are under way, as many as are allowed at a time", "等待 %[1]s 的空位：已有 %[2]d 个调用在进行，达到上限"},
	Rate:        {"waits for the rate of %[1]s: its %[2]d calls a minute are used up", "等待 %[1]s 的频率限额：每分钟 %[2]d 次调用已用完"},
	Turn:        {"waits for its turn at %[1]s, with %[2]d in its queue", "在 %[1]s 排队，队列里有 %[2]d 个"},
	Next:        {"is next at %[1]s: a worker takes it up in a moment", "即将由处理 %[1]s 的工作进程接手"},
	Preparing:   {"is at worker %[1]s, which is about to call the provider", "在工作进程 %[1]s 上，即将调用服务商"},
	Calling:     {"waits for the answer of %[1]s", "等待 %[1]s 的应答"},
	Drawing:     {"is being drawn by %[1]s", "%[1]s 正在绘制"},
	Keeping:     {"is drawn; its pictures are being stored", "已经画好，正在存储图片"},
	Cancelling:  {"is being cancelled by worker %[1]s", "工作进程 %[1]s 正在取消它"},
	LostWorker:  {"waits to be taken from worker %[1]s, which is gone", "等待从已消失的工作进程 %[1]s 那里收回"},
	App:         {"is managed by the app itself", "由应用自己管理"},
	Decision:    {"waits for a person: nobody can say whether its call was billed", "等待人工决定：无法确定调用是否已计费"},
	Collect:     {"waits for its pictures: %[1]s has run its call after all, and a worker collects it by itself", "等待图片：%[1]s 其实执行了这次调用，工作进程会自行取回"},
	Unknown:     {"waits for a worker or for its provider; which of them cannot be seen from here", "等待工作进程或服务商；从这里看不到是哪一个"},
}

// since is what a reason adds about the time that it is from.
var since = map[Kind]words{
	NoWorker: {"; the last one was seen at ", "；最后一个出现于 "},
	Unserved: {"; the last one that did was seen at ", "；最后一个能处理它的出现于 "},
	Paused:   {" since ", "，始于 "},
}

var remedies = map[Kind]words{
	Storage:   {"Make room or mend its access", "请腾出空间或修复权限"},
	RedisAway: {"Start Redis or mend the way to it; nothing is lost, the rows bring it all back", "请启动 Redis 或修复连接；不会丢失任何东西，数据库里的行会把一切带回来"},
	NoWorker:  {"Start a worker", "请启动工作进程"},
	Unserved:  {"Start a worker that has the provider in its configuration, or correct the task's provider", "请启动配置了该服务商的工作进程，或改正任务的 provider"},
	Paused:    {"Resume the queue, which asynqmon does, at /queues", "请恢复这个队列，可在 asynqmon（/queues）里操作"},
	Closed:    {"Mend it as the service says; the account is tried again by itself", "请按服务商的说明处理；账号会自动再试"},
	App:       {"Only the app ends it", "只有应用自己能结束它"},
	Decision:  {"Look the call up at the provider, or have easel ask it where that can be asked, and decide", "请到服务商处核对这次调用，能询问的也可让 easel 询问，然后决定"},
	Retry:     {"Mend what the last failure names; it is tried again by itself until its tries are used up", "请处理上次失败指出的问题；次数用完之前会自动重试"},
}

var actors = map[Who]words{
	Nobody: {"nobody: it goes on by itself", "无需处理，会自动继续"}, Operator: {"the operator", "运维人员"}, Developer: {"the app's developer", "应用开发者"},
}

func (w words) in(l human.Language) string { return l.Of(w.en, w.zh) }

// Brief says what the task waits for, since when that is so and until when, without a full stop.
func (r Reason) Brief(l human.Language) string {
	s := r.fill(sentences[r.Kind].in(l))
	if !r.From.IsZero() {
		s += since[r.Kind].in(l) + human.Minute(r.From)
	}
	if !r.Until.IsZero() {
		s += l.Of(", until ", "，直到 ") + human.Time(r.Until)
	}
	return s
}

// Sentence is Brief and the words of the service, or of the last failure.
func (r Reason) Sentence(l human.Language) string {
	s := r.Brief(l)
	if r.Said != "" {
		s += l.Of(": ", "：") + r.Said
	}
	return s
}

// Remedy says what whoever has to act can do, one sentence without a full stop; empty
// if nobody has to.
func (r Reason) Remedy(l human.Language) string {
	if r.Who == Nobody {
		return ""
	}
	advice := l.Advice(r.Advice, r.About)
	if advice == "" || r.Kind != Retry && r.Kind != Closed {
		return r.fill(remedies[r.Kind].in(l))
	}
	return advice + l.Of("; it is tried again by itself", "；会自动再试")
}

// Actor says who has to act.
func (r Reason) Actor(l human.Language) string { return actors[r.Who].in(l) }

// For is how long it has waited by now.
func (r Reason) For(now time.Time) time.Duration {
	if r.Since.IsZero() || r.Since.After(now) {
		return 0
	}
	return now.Sub(r.Since)
}

func (r Reason) fill(sentence string) string {
	if !strings.Contains(sentence, "%[") {
		return sentence
	}
	if !strings.Contains(sentence, "%[2]") {
		return fmt.Sprintf(sentence, r.Name)
	}
	return fmt.Sprintf(sentence, r.Name, r.Count)
}
