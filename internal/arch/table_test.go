package arch

// rule says what a package may import besides the standard library: packages
// of ours by their path below the module, modules of others by their path.
type rule struct {
	imports  []string
	tests    []string // what only its tests may import, besides everyTest
	anything bool     // where all packages meet
}

// Whose import is whose business. An arrow that is missing here is missing on
// purpose; a new one is added in the commit that needs it, which says why.
//
// The rows hold these rules: task is the middle and imports nothing. Only store
// knows sqlx and the database drivers, only queue knows asynq, only migrations
// knows goose. An adapter (provider/NAME) knows provider and task. Nobody
// imports cmd, and only tests import internal/servertest.
var table = map[string]rule{
	"task": {},

	"provider":              {imports: []string{"task", "internal/budget", "internal/crash", "internal/human"}, tests: []string{"provider/providertest"}},
	"provider/providertest": {imports: []string{"provider", "task", cmp}},
	"provider/*":            {imports: adapter, tests: []string{"provider/providertest"}},
	// The list of all adapters; only where packages meet, and tests, may know them all.
	"provider/all":          {imports: []string{"provider", "provider/*"}},
	"provider/sketch/paint": {imports: []string{ximage}},
	"provider/sketch":       {imports: append([]string{"picture/codec", "provider/sketch/paint", "internal/budget", xsync}, adapter...), tests: []string{"provider/providertest"}},

	"picture":             {tests: []string{"picture/picturetest", "picture/dir"}},
	"picture/codec":       {imports: []string{"picture", "internal/budget", ximage}}, // it reads until a context ends, as stores do
	"picture/dir":         {imports: []string{"picture", "internal/crash"}, tests: []string{"picture/picturetest"}},
	"picture/s3":          {imports: []string{"picture", minio}, tests: []string{"picture/picturetest"}},
	"picture/picturetest": {imports: []string{"picture", cmp}},

	"gc":    {imports: []string{"picture", "store"}, tests: []string{"picture/dir", "task"}},
	"guard": {},

	"limit": {imports: []string{"task", "provider", redis, zerolog}, tests: []string{miniredis}},
	"queue": {imports: []string{"task", "internal/crash", asynq, asynqmon, redis, zerolog}, tests: []string{miniredis}},

	"migrations":      {imports: []string{goose}, tests: []string{pq, sqlite}},
	"store":           {imports: []string{"task", "migrations", "internal/pause", sqlx, pq, sqlite, zerolog}, tests: []string{"store/storetest", rapid}},
	"store/storetest": {imports: []string{"store", "task", cmp, rapid}},

	"enqueue": {
		imports: []string{"task", "store", "queue", "provider", zerolog, xsync},
		tests:   []string{"migrations", "provider/sketch", miniredis, redis},
	},
	"worker": {
		imports: []string{"task", "store", "queue", "provider", "limit", "picture", "picture/codec", "internal/budget", "internal/crash", "worker/spool", uuid, zerolog, xsync},
		tests:   []string{"migrations", "enqueue", "picture/dir", "provider/sketch", "provider/providertest", miniredis, redis},
	},
	"worker/spool": {},
	// It only looks, at everything that a task may wait for.
	"waiting":  {imports: []string{"task", "store", "queue", "provider", "limit", "internal/human"}, tests: []string{"enqueue", "migrations", redis}},
	"callback": {imports: []string{"task", "store", "provider", uuid, zerolog}, tests: []string{"queue", "provider/providertest"}},
	"web":      {imports: []string{"task", "store", "picture", "waiting", "internal/human", zerolog}, tests: []string{"migrations", "picture/dir", "enqueue", "provider", "provider/sketch"}},

	"cmd/easel":          {imports: easel, tests: easelTests},
	"cmd/easel-selftest": {imports: easelSelftest},

	// It looks at everything that easel needs, and changes nothing.
	"internal/doctor": {imports: []string{"task", "store", "migrations", "queue", "provider", "picture/s3", "waiting", "worker/spool", "internal/app", "internal/config", "internal/human", xsys}},

	// It plays tasks through the doors of a running easel.
	"internal/demo": {imports: []string{"task", "store", "provider/all", "internal/app", "internal/config", "internal/human"}},

	"internal/app": {anything: true}, // the only wiring: rooms of every kind meet here
	// It reads what the rooms are configured with, and makes the accounts of providers ready.
	"internal/config": {imports: []string{"task", "provider", "queue", "guard", "picture/s3", "internal/budget", "internal/human", yaml, zerolog}, tests: []string{"provider/all"}},
	// What commands have in common.
	"internal/cli":     {imports: []string{"internal/human", cobra, "github.com/spf13/pflag", pretty, xterm}},
	"internal/request": {imports: []string{"task", "internal/human"}}, // JSON that becomes a task

	// The checker shares nothing with what it judges.
	"check":           {imports: []string{porcupine}},
	"cmd/easel-check": {imports: []string{"check"}},

	"internal/arch":   {},
	"internal/pause":  {}, // for whoever waits until a context ends
	"internal/budget": {}, // what providers, pictures and the worker take from in common
	// Words for pages and terminals alike, what to do after a failure among them; whoever presents something asks it.
	"internal/human": {imports: []string{"task"}},
	// It asks a database what the README asks it.
	"internal/docs":       {tests: []string{"task", pq, sqlite, yaml}}, // the SQL of the pages is run on both databases
	"internal/httpserver": {imports: []string{xsync}},
	"internal/evidence":   {imports: []string{"check", "queue", redis}}, // writes the files that check reads
	// It plays the person at asynqmon, and so knows asynq too.
	"internal/selftest": {imports: []string{"check", "enqueue", "internal/evidence", "internal/fakeprovider", "internal/throwaway", "queue", "store", "task",
		asynq, miniredis, redis, toxiproxy, xsync, zerolog}},
	"internal/crash":     {}, // where a task passes a point at which tests kill the program
	"internal/throwaway": {},
	"internal/fakeprovider": {imports: []string{"provider", "task"}, // a service and its adapter, and the adapters that it is understood by
		tests: []string{"provider/openai", "provider/replicate", "provider/comfyui"}},
	"internal/servertest": {imports: []string{"internal/throwaway", pq, goleak}},       // pq for CREATE DATABASE
	"internal/tables":     {imports: []string{"store", "task", "internal/servertest"}}, // databases that store has migrated, and calls in them
	// Its tests run everything together, as cmd/easel does, and have check judge it.
	"internal/matrix": {tests: []string{"task", "check", "queue", "store", "internal/crash", "internal/evidence", "internal/fakeprovider", redis}},
	"internal/simulation": {tests: []string{"task", "provider", "picture", "picture/codec", "limit", "queue", "migrations", "store", "enqueue", "worker", "check",
		"internal/evidence", asynq, redis, miniredis, zerolog, xsync}},
	// Its mutants are texts: it compiles the simulation and imports nothing of it.
	"internal/sabotage": {},
	"internal/prove":    {imports: []string{"internal/sabotage", pretty, xterm}},
}

// easel is what the commands that people run call.
var easel = []string{
	"internal/app",     // up, worker, demo run it; all others open database, queue and pictures with it
	"internal/cli",     // what commands have in common
	"internal/config",  // the environment that every command reads
	"internal/demo",    // demo
	"internal/doctor",  // doctor
	"internal/human",   // amounts and times in answers
	"internal/pause",   // between two looks at a task
	"internal/request", // enqueue --file
	"enqueue",          // enqueue, retry, cancel, give-up and delete are methods of its client
	"gc",               // pictures gc, delete
	"migrations",       // migrate and adopt run them
	"picture",          // pictures gc lists a store
	"provider",         // providers, and what may be told of an attempt
	"provider/all",     // which providers there are
	"queue",            // queues pauses and resumes them
	"store",            // list, show, watch and dlq read it
	"task",             // what all answers are about
	"waiting",          // why a task waits
	cobra, pretty,      // commands and tables
	xsync, zerolog, // demo runs an easel beside its acts, and logs as it does
}

// easelTests run everything together, as people do, before servers of all kinds.
var easelTests = []string{
	"provider/providertest", "internal/fakeprovider", // services to speak to
	"internal/evidence", "picture/s3", // what a run leaves behind
	miniredis, minio, pq, redis, // to look at servers, and to break them
	"limit", // to close an account as a worker does
}

// easelSelftest is what the attack calls, and each process that it starts.
var easelSelftest = []string{
	"internal/selftest",     // the attack
	"internal/fakeprovider", // the service that bills, and the kind of it that workers know
	"check",                 // judges what it leaves behind
	"internal/app",          // its workers are easels
	"internal/config",       // which read the same environment
	"internal/cli",          // what commands have in common
	"internal/human",        // amounts and times in answers
	"provider/all",          // the kinds that its workers know besides
	"enqueue", "queue",      // its producers enqueue as apps do
	"store", "task", // and note what they were told
	cobra, pretty, redis, // commands, tables, the producers' Redis
}

var (
	adapter   = []string{"provider", "task", ximage}
	everyTest = []string{"internal/servertest", "internal/tables", "internal/throwaway", cmp}
)

const (
	asynq     = "github.com/hibiken/asynq"
	asynqmon  = "github.com/hibiken/asynqmon"
	cmp       = "github.com/google/go-cmp"
	cobra     = "github.com/spf13/cobra"
	goleak    = "go.uber.org/goleak"
	goose     = "github.com/pressly/goose/v3"
	minio     = "github.com/minio/minio-go/v7"
	miniredis = "github.com/alicebob/miniredis/v2"
	porcupine = "github.com/anishathalye/porcupine"
	pretty    = "github.com/jedib0t/go-pretty/v6"
	pq        = "github.com/lib/pq"
	rapid     = "pgregory.net/rapid"
	redis     = "github.com/redis/go-redis/v9"
	sqlite    = "modernc.org/sqlite"
	sqlx      = "github.com/jmoiron/sqlx"
	toxiproxy = "github.com/Shopify/toxiproxy/v2"
	uuid      = "github.com/google/uuid"
	ximage    = "golang.org/x/image"
	xsync     = "golang.org/x/sync"
	xsys      = "golang.org/x/sys"
	xterm     = "golang.org/x/term"
	yaml      = "github.com/goccy/go-yaml"
	zerolog   = "github.com/rs/zerolog"
)
