// Package crash lets tests kill or freeze the real program at a named point of a
// task's life. Programs are built without the tag crashpoints: there At does
// nothing and Armed is false, so that the compiler leaves both out.
//
// The points, in the order in which a task passes them:
//
//	before the claim
//	claimed
//	attempt committed  as sending
//	request written    of the paid call; its answer is not read
//	answer read        and not journalled
//	answer journalled  or the handle of a job
//	about to poll      or, without a job to poll, about to keep the pictures
//	download begun     of a picture
//	picture in a file  a temporary one
//	picture stored     the row is not saved
//	row saved
//	acknowledged       the delivery, in Redis
package crash

// Points lists every point.
var Points = []string{"before the claim", "claimed", "attempt committed", "request written", "answer read", "answer journalled",
	"about to poll", "download begun", "picture in a file", "picture stored", "row saved", "acknowledged"}
