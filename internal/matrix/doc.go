// Package matrix kills and freezes the real program at every point of a task's
// life: two worker processes, a real Redis, Postgres or SQLite, and a service of
// each of the four classes. There is no code here besides the tests.
package matrix
