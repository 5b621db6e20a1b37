package selftest

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/easelqueue/easel/check"
	"github.com/easelqueue/easel/internal/evidence"
	"github.com/easelqueue/easel/internal/throwaway"
)

// bitesAfter is how long a run has to last before one in which nothing was
// refused, resumed or unknown counts as broken.
const bitesAfter = 2 * time.Minute

// judge gathers what is left and has package check judge it.
func (r *run) judge(ctx context.Context) error {
	settled := time.Now()
	r.lookAround(ctx)
	for _, s := range r.slots {
		if c := s.process(); c != nil {
			c.signal(syscall.SIGCONT)
			c.drain(40 * time.Second)
		}
	}
	told, err := r.allTold()
	if err != nil {
		return err
	}
	policy, class := make(map[string]string), make(map[string]string)
	for _, name := range providers {
		class[name], policy[name], _ = strings.Cut(name, "-")
	}
	expect := r.expectations()
	run := check.Run{Seed: int64(r.Seed), Policy: policy, Class: class, Began: check.When{Time: r.began}, FaultsEnded: check.When{Time: r.ended},
		Settled: check.When{Time: settled}, Expect: expect, Canaries: r.canaries(), ClocksApart: 20}
	if r.jumped { // so far apart are the rows' times and those of the other books
		run.ClocksApart = (clockStep + 2*time.Second).Milliseconds()
	}
	at := evidence.Site{DB: r.tasks.DB(), Redis: r.redis, Pictures: r.stored(), MayStand: map[string][]string{"answer": {r.token}}}
	if err := at.Gather(ctx, r.Folder, evidence.Books{Run: run, Told: told, Faults: r.book()}); err != nil {
		return fmt.Errorf("gather the evidence: %w", err)
	}
	found, err := check.Read(os.DirFS(r.Folder))
	if err != nil {
		return fmt.Errorf("read the evidence: %w", err)
	}
	found.Limits.MustBite = r.For >= bitesAfter && len(r.Options.Kinds) == 0
	r.report = r.conclude(ctx, found.Judge())
	return nil
}

// canaries are the secrets that must be found nowhere.
func (r *run) canaries() []string {
	all := []string{r.key, r.token, r.hookSecret, throwaway.S3SecretKey}
	if _, after, ok := strings.Cut(r.databaseURL, ":canary-"); ok {
		password, _, _ := strings.Cut(after, "@")
		all = append(all, "canary-"+password)
	}
	return all
}

// book is the faults as package check reads them. An ambiguous one may meet a
// call in whatever process, so it names nobody.
func (r *run) book() []check.Fault {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []check.Fault
	for _, f := range r.faults {
		all = append(all, check.Fault{At: check.When{Time: f.At}, Until: check.When{Time: f.Until.Add(excuse)}, Kind: f.Kind, Target: f.Target, Ambiguous: f.Ambiguous})
	}
	return all
}

// excuse is how long after a fault it may still show: a call that it met may take
// so long.
const excuse = 15 * time.Second

// allTold joins what the producers and the people of the run were told.
func (r *run) allTold() ([]told, error) {
	r.mu.Lock()
	all := slices.Clone(r.told)
	r.mu.Unlock()
	names, err := filepath.Glob(filepath.Join(r.Folder, "told-*.jsonl"))
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
			var t told
			if err := json.Unmarshal(lines.Bytes(), &t); err != nil {
				continue // the last line of a producer that was killed
			}
			all = append(all, t)
		}
	}
	return all, nil
}

// expectations counts in the workers' logs what they refused to do as zombies.
func (r *run) expectations() map[string]int {
	refused := 0
	for i := range workers {
		text, err := os.ReadFile(filepath.Join(r.Folder, "sinks", fmt.Sprintf("worker-%d.log", i+1)))
		if err != nil {
			continue
		}
		for _, sentence := range []string{"the task was taken over; leaving it alone", "too late: the pictures are kept beside the task"} {
			refused += bytes.Count(text, []byte(sentence))
		}
	}
	return map[string]int{"zombie_refused": refused, "resumed": 0, "unknown": 0}
}

// lookAround puts what people get to see into the sinks: pages and the answers of commands.
func (r *run) lookAround(ctx context.Context) {
	s := r.slots[0]
	r.lookAtCommands(ctx, s)
	r.lookAtPages(ctx, s)
}

// lookAtCommands runs commands of the program that people run, which knows no fakeprovider.
func (r *run) lookAtCommands(ctx context.Context, s *slot) {
	if r.Easel == "" {
		return
	}
	env, err := s.env(ctx)
	if err != nil {
		return
	}
	fakeprovider, err := s.net.through(s.proxy("fakeprovider"), s.fakeproviderURL)
	if err != nil {
		return
	}
	file := filepath.Join(r.Folder, "commands.yaml")
	if err := os.WriteFile(file, []byte(configuration(fakeprovider, shipped)), 0o600); err != nil {
		return
	}
	env = append(env, "EASEL_CONFIG="+file) // of two the last holds
	for i, args := range [][]string{{"list", "--json", "--limit", "100"}, {"list", "--status", "failed"}, {"doctor"}, {"dlq", "list", "--json"}, {"show", "1", "--json"}} {
		if c, err := r.spawnProgram(r.Easel, fmt.Sprintf("command-%d", i+1), nil, env, args...); err == nil {
			select {
			case <-c.ended:
			case <-time.After(20 * time.Second):
				c.kill()
			}
		}
	}
}

func (r *run) lookAtPages(ctx context.Context, s *slot) {
	out, err := r.sink("pages.html")
	if err != nil {
		return
	}
	defer out.Close()
	for _, path := range []string{"/", "/failed", "/tasks/1", "/queues/api/queues", "/queues/api/queues/idempotent-hold/archived_tasks"} {
		if page, err := fetch(ctx, "http://"+s.listening+path); err == nil {
			_, _ = out.Write(page)
		}
	}
}

func fetch(ctx context.Context, url string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	var b bytes.Buffer
	_, err = b.ReadFrom(http.MaxBytesReader(nil, resp.Body, 8<<20))
	return b.Bytes(), errors.Join(err, ctx.Err())
}
