// Package crash lets tests kill or freeze the real program at a named point of a
// task's life. Programs are built without the tag crashpoints: there At does
// nothing and Armed is false, so that the compiler leaves both out.
//
// The points, in the order in which a task passes them:
//
//	K0   before the claim
//	K1   claimed
//	K2   the attempt is committed as sending
//	K3   the paid request is written, its answer not read
//	K4   the answer is read, not journalled
//	K5   the handle or the answer is journalled
//	K6   about to poll; without a job to poll, about to keep the pictures
//	K7   a picture's download has begun
//	K8   the picture is in a temporary file
//	K9   the picture is stored, the row not saved
//	K10  the row is saved
//	K11  the delivery is acknowledged in Redis
package crash

// Points lists every point.
var Points = []string{"K0", "K1", "K2", "K3", "K4", "K5", "K6", "K7", "K8", "K9", "K10", "K11"}
