GO ?= go
FUZZTIME ?= 30s
FUZZSKIP ?= ^$$
SEEDS ?= 2000
SELFTEST ?= 2m

.PHONY: build portable test raced plain contracts measures outages lint check prove bench benchmarks fuzz needs clean

# The program, the attack on it and the check of its evidence: one static file each.
build:
	CGO_ENABLED=0 $(GO) build -trimpath -o bin/ ./cmd/easel ./cmd/easel-selftest ./cmd/easel-check

# That the program can be built for macOS; of that it has the right types TestTypesOnMacOS makes sure in seconds.
portable:
	GOOS=darwin GOARCH=arm64 CGO_ENABLED=0 $(GO) build -o /dev/null ./cmd/easel

# What CI does first. It goes on with make outages, some of make prove and a short make fuzz.
check: lint test

# The race detector makes SQLite and Lua ten times as slow, so it leaves out what of them has
# no goroutines: SQLite's own C, translated to Go, and the Lua of the Redis inside the process.
LESSRACE = -gcflags=modernc.org/sqlite/lib=-race=false -gcflags=github.com/yuin/gopher-lua/...=-race=false

# The race detector watches the packages that start goroutines, lock or count atomically. It
# makes tests some five times as slow, so all others run without it, and with them what it would
# spoil or slow down too much: the worker's claims, of which it sees one in five, the simulation,
# which it crashes now and then by thousands of fake timers, processes as people run them, and
# tests of memory and speed, which run by themselves.
CONCURRENT = ^\s+go [a-z]|\.Go\(|sync\.(Mutex|RWMutex|Map|WaitGroup)|atomic\.
RACED = $(shell grep -rlE --include='*.go' --exclude='*_test.go' '$(CONCURRENT)' . | xargs -n1 dirname | sort -u | grep -v -x -E '\./bench|.*/cmd/easel')
MEASURES = ^Test(ManyOddAnswersAtOnce|LargeAnswers|AnOddAnswerTakes|HidingStretches|ScrubbingTakes|LongTexts|TheLargestTree|ManyHandlers)

# What the worker's run with the detector has held on real servers is not held again without.
HELD = ^TestOnServers$$

# The store's contract is held under the detector on Postgres itself, and without on SQLite, which has one
# connection; over poolers, and in flushes, which are off unless one asks for them, in make outages.
POOLED = ^Test(PostgresBehindAPooler|PostgresBatched|PostgresBatchedBehindAPooler|SQLiteBatched|BatchedInBadCompany)$$
CONTRACTS = ^TestSQLite$$

# Processes as people run them, that are killed, replaced, crowded and lose their servers: they
# need most of the machine, so that the other tests are left alone.
OUTAGES = ^Test(Crowds|Recovery|SpooledAnswers|AKilledWorker|SIGTERM|RollingChange|CrashMatrix|Selftest)$$

# Tests run against real servers; `needs` installs them where they are missing. They wait for servers
# for much of their time, so that three parts run at once, with up to two packages each: those that wait
# for longest first, those that only compute last. What measures memory and speed comes after them and alone. A larger heap spares a
# fifth of the processor, and no table for debuggers some of the linking. make lint vets, and make
# prove tests what proves.
test: needs
	@$(MAKE) --no-print-directory -j 3 raced plain contracts
	@$(MAKE) --no-print-directory measures

GOTEST = $(GO) test -vet=off -timeout 30m -ldflags='-s -w'

raced:
	GOGC=400 $(GOTEST) -race $(LESSRACE) -skip '$(MEASURES)|$(POOLED)|$(CONTRACTS)' -p 2 ./store ./enqueue ./provider/openai ./queue ./web $(filter-out ./worker,$(RACED)) ./worker

plain:
	GOGC=400 $(GOTEST) -skip '$(OUTAGES)|$(HELD)' -p 2 ./cmd/easel ./internal/docs ./migrations $$($(GO) list ./... | sed 's|^[^/]*/[^/]*/[^/]*|.|' | grep -v -x -E '$(shell echo $(RACED) ./internal/simulation ./internal/sabotage ./internal/prove ./internal/matrix ./cmd/easel-selftest | tr ' ' '|')') ./worker ./internal/simulation

contracts:
	GOGC=400 $(GOTEST) -run '$(CONTRACTS)' ./store

measures:
	$(GOTEST) -run '$(MEASURES)' -p 1 ./provider ./queue

outages: needs
	$(GOTEST) -run '$(OUTAGES)|$(POOLED)' -p 2 ./cmd/easel ./cmd/easel-selftest ./internal/matrix ./store

# All that shows that the promises are kept, in about an hour on two processors.
# PROVE=--only=seeds runs a part of it; `go run ./internal/prove --help` names all.
prove: outages
	$(GO) test -vet=off ./internal/sabotage ./internal/prove
	$(GO) run ./internal/prove --seeds $(SEEDS) --selftest $(SELFTEST) $(PROVE)

lint:
	@bad=$$(gofmt -l .); [ -z "$$bad" ] || { echo "not formatted, run gofmt -w:"; echo "$$bad"; exit 1; }
	$(GO) vet ./...
	cd bench && $(GO) vet .
	$(GO) tool staticcheck ./...
	@if command -v shellcheck >/dev/null; then shellcheck .ci/*; fi

# easel beside others that do the same job, as docs/performance.md has it; BENCH=--help names its flags.
# What only those need is no dependency of easel, so it is a module of its own.
bench: needs
	cd bench && $(GO) run . $(BENCH)

# What parts of easel cost.
benchmarks: needs
	$(GO) test -run '^$$' -bench . -benchtime 5s -timeout 30m ./queue ./store ./cmd/easel

# Every fuzz target for FUZZTIME, one after the other: a time, or a count such as 10000x. FUZZSKIP is a pattern
# of those that are left out.
fuzz:
	@set -e; grep -rnoE --include='*_test.go' '^func Fuzz[A-Za-z]+' . | sed -E 's|/[^/]*:[0-9]+:func | |' | grep -vE '$(FUZZSKIP)' | sort | while read -r pkg target; do \
		$(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) "$$pkg"; \
	done

needs:
	@.ci/needs

clean:
	rm -rf bin
