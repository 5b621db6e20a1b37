package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/easelqueue/easel/internal/servertest"
	"github.com/easelqueue/easel/provider/all"
	"github.com/easelqueue/easel/provider/providertest"
	"github.com/easelqueue/easel/task"
)

// played is a service that easel speaks to, and one task for it.
type played struct {
	service providertest.Service
	adapter string // default the name of the provider
	path    string // of the base URL
	key     string // default sk-test
	account string // more of the account in easel.yaml
	args    []string
	images  int
	sync    bool
}

// plays is every service but sketch, which plays itself.
var plays = map[string]played{
	"openai":      {service: providertest.Service{Submits: map[string]providertest.Endpoint{"/": providertest.OpenAI}}, path: "/v1", args: []string{"--model", "gpt-image-2", "--count", "2"}, images: 2, sync: true},
	"openai_jobs": {service: providertest.OpenAIJobs(false), adapter: "openai", path: "/v1", account: ", async: on", args: []string{"--model", "gpt-image-2", "--count", "2"}, images: 2},
	"openai_list": {service: providertest.OpenAIJobs(true), adapter: "openai", path: "/v1", args: []string{"--model", "gpt-image-2", "--count", "2"}, images: 2},
	"volcengine":  {service: providertest.Service{Submits: map[string]providertest.Endpoint{"/": providertest.Ark}}, path: "/api/v3", args: []string{"--count", "2"}, images: 2, sync: true},
	"gemini":      {service: providertest.Gemini(), path: "/v1beta", args: []string{"--model", "gemini-2.5-flash-image", "--size", "16:9"}, sync: true},
	"stability":   {service: providertest.Stability(), args: []string{"--size", "3:2", "--seed", "7"}, sync: true},
	"stable_diffusion": {service: providertest.StableDiffusion(), key: "ann:pa55", args: []string{"--count", "2", "--steps", "20", "--negative", "text"},
		images: 2, sync: true},
	"replicate":  {service: providertest.Replicate(), path: "/v1", args: []string{"--model", "acme/brush", "--count", "2"}, images: 2},
	"fal":        {service: providertest.Fal(), args: []string{"--model", "acme/brush", "--count", "2"}, images: 2},
	"bfl":        {service: providertest.BFL(), args: []string{"--model", "flux-2-pro", "--size", "1024x768", "--count", "2"}, images: 2},
	"dashscope":  {service: providertest.DashScope(), path: "/api/v1", args: []string{"--model", "wan2.2-t2i-flash", "--count", "2"}, images: 2},
	"jimeng":     {service: providertest.Jimeng(), key: "AKID:" + providertest.JimengSecret},
	"comfyui":    {service: providertest.ComfyUI(), args: []string{"--model", "v1-5.safetensors", "--count", "2"}, images: 2},
	"midjourney": {service: providertest.Midjourney(), path: "/mj", account: ", dialect: trueai"},
}

// playAll starts every service and returns easel.yaml for them, with the config.Variables
// that hold their keys.
func playAll(t *testing.T, more string) (servers map[string]*providertest.Server, yaml string, env []string) {
	t.Helper()
	servers = make(map[string]*providertest.Server)
	var b strings.Builder
	b.WriteString("providers:\n")
	for name, p := range plays {
		s := providertest.Start(p.service)
		t.Cleanup(s.Close)
		servers[name] = s
		variable := "FAKE_" + strings.ToUpper(name)
		env = append(env, variable+"="+or(p.key, "sk-test"))
		fmt.Fprintf(&b, "  %s:\n    adapter: %s\n    concurrency: 5\n%s    accounts:\n      - {name: main, key: \"${%s}\", base_url: %q%s}\n",
			name, or(p.adapter, name), more, variable, s.URL+p.path, p.account)
	}
	return servers, b.String(), env
}

func or(text, fallback string) string {
	if text == "" {
		return fallback
	}
	return text
}

func TestEveryProvider(t *testing.T) {
	t.Parallel()
	if missing := slices.DeleteFunc(adapterNames(), func(name string) bool { _, ok := plays[name]; return ok || name == all.Free }); len(missing) > 0 {
		t.Fatalf("nobody plays %v", missing)
	}
	servers, yaml, env := playAll(t, "")
	s := newSite(t, yaml, env...)
	s.start("worker")
	for name, p := range plays {
		t.Run("A task for "+name+" ends with the pictures that the service sent", func(t *testing.T) {
			t.Parallel()
			s.draws(t, name, p, servers[name])
		})
	}
}

// TestOddAnswers has each service answer in a shape that it does not document.
func TestOddAnswers(t *testing.T) {
	t.Parallel()
	servers, yaml, env := playAll(t, "")
	shapes := providertest.Shapes()
	at := 0
	chosen := make(map[string]providertest.Shape)
	for _, name := range slices.Sorted(maps.Keys(plays)) {
		shape := shapes[at*7%len(shapes)]
		chosen[name] = shape
		servers[name].Always(shape.Behaviour(servers[name]))
		servers[name].Asks(new(shape.Behaviour(servers[name])))
		at++
	}
	s := newSite(t, yaml, env...)
	s.start("worker")
	for name, p := range plays {
		t.Run(name+" answers with "+chosen[name].Claim, func(t *testing.T) {
			t.Parallel()
			s.draws(t, name, p, servers[name])
		})
	}
}

// draws gives the service a task and compares what is stored with what it sent, and
// its submits with what they must be.
func (s *testSite) draws(t *testing.T, name string, p played, server *providertest.Server) {
	t.Helper()
	prompt := "一只红色的风筝 " + name
	var shown struct {
		Task struct{ ID int64 }
	}
	out := s.easel(0, append([]string{"enqueue", prompt, "--provider", name, "--wait", "--json"}, p.args...)...)
	if err := json.Unmarshal([]byte(out), &shown); err != nil || shown.Task.ID == 0 {
		t.Fatalf("%v: %s", err, out)
	}
	results, err := s.tasks.Results(t.Context(), shown.Task.ID)
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for i := range max(p.images, 1) {
		seed := fmt.Sprint(prompt, i)
		if name == "bfl" {
			seed = prompt + "0" // each of its calls draws one picture
		}
		sum := sha256.Sum256(providertest.Picture(seed))
		want = append(want, hex.EncodeToString(sum[:]))
	}
	var got []string
	for _, r := range results {
		content, err := os.ReadFile(s.picture(r.StorageKey))
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(content)
		if hex.EncodeToString(sum[:]) != r.SHA256 {
			t.Errorf("the row says %s of a file whose sum is %x", r.SHA256, sum)
		}
		got = append(got, r.SHA256)
	}
	if !slices.Equal(got, want) {
		t.Errorf("stored %v, sent %v", got, want)
	}
	calls := 1
	if name == "bfl" {
		calls = 2
	}
	if submits, _ := server.Count(""); submits != calls {
		t.Errorf("the service received %d submits, want %d", submits, calls)
	}
}

// picture is where a stored picture lies.
func (s *testSite) picture(key string) string { return s.dir + "/pictures/" + key }

func TestJobsOutliveTheirWorker(t *testing.T) {
	t.Parallel()
	servers, yaml, env := playAll(t, "    on_unknown: hold\n")
	jobs := 0
	for name, p := range plays {
		servers[name].Waits(1_000_000)
		if !p.sync {
			jobs++
		}
	}
	s := newSite(t, yaml, env...)
	victim := s.start("worker")
	for name, p := range plays {
		if !p.sync {
			s.easel(0, append([]string{"enqueue", "风筝 " + name, "--provider", name}, slices.DeleteFunc(slices.Clone(p.args), func(a string) bool { return a == "--count" || a == "2" })...)...)
		}
	}
	servertest.Eventually(t, 5*time.Minute, "every service has its job", func() bool {
		return s.number("SELECT count(*) FROM generation_attempt WHERE state = 'accepted'") == jobs
	})
	victim.Send(syscall.SIGKILL)
	for name := range plays {
		servers[name].Waits(1)
	}
	s.start("worker")
	servertest.Eventually(t, 5*time.Minute, "all ended", func() bool { return s.open() == 0 })
	if completed := s.count(task.Completed); completed != jobs {
		t.Errorf("%d of %d completed", completed, jobs)
	}
	for name, p := range plays {
		if submits, _ := servers[name].Count(""); !p.sync && submits != 1 {
			t.Errorf("%s received %d submits, want 1", name, submits)
		}
	}
}

func TestACancelReachesTheService(t *testing.T) {
	t.Parallel()
	servers, yaml, env := playAll(t, "")
	for name := range plays {
		servers[name].Waits(1_000_000)
	}
	s := newSite(t, yaml, env...)
	s.start("worker")
	cancellable := []string{"replicate", "fal", "dashscope", "comfyui", "midjourney"}
	for _, name := range cancellable {
		s.easel(0, append([]string{"enqueue", "风筝 " + name, "--provider", name}, plays[name].args...)...)
	}
	servertest.Eventually(t, 5*time.Minute, "every service has its job", func() bool {
		return s.number("SELECT count(*) FROM generation_attempt WHERE state = 'accepted'") == len(cancellable)
	})
	for id := range cancellable {
		s.easel(0, "cancel", fmt.Sprint(id+1))
	}
	servertest.Eventually(t, 5*time.Minute, "every job is cancelled", func() bool {
		for _, name := range cancellable {
			if jobs := servers[name].Jobs(); len(jobs) != 1 || !jobs[0].Cancelled {
				return false
			}
		}
		return true
	})
}
