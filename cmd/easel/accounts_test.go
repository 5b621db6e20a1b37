package main

import (
	"os"
	"strings"
	"testing"

	"github.com/easelqueue/easel/internal/doctor"
)

func TestABadWorkflowDisablesItsAccountAlone(t *testing.T) {
	d := newShell(t)
	writeFile(t, "pages.json", `{"nodes":[{"id":1}],"links":[]}`)
	writeFile(t, "easel.yaml", "providers: {comfyui: {accounts: [{workflow: pages.json}]}, fal: {}}")
	d.env = []string{"FAL_KEY=the-fal-key"}
	d.easel("providers").wants(t, 0, "fal", "sketch", "is disabled: pages.json", "Export (API)")
	_, found, _ := d.examined()
	if f := found["provider comfyui/main"]; f.Result != doctor.Fail || !strings.Contains(f.Detail, "Export (API)") || f.Do == "" {
		t.Errorf("doctor finds %+v", f)
	}
	t.Run("A second account with a good file works", func(t *testing.T) {
		good := `{"1":{"class_type":"A","inputs":{"text":"{{prompt}}"}},"2":{"class_type":"SaveImage","inputs":{}}}`
		if err := os.WriteFile("good.json", []byte(good), 0o600); err != nil {
			t.Fatal(err)
		}
		writeFile(t, "easel.yaml", "providers: {comfyui: {accounts: [{workflow: pages.json}, {name: two, workflow: good.json}]}}")
		d.easel("providers", "comfyui").wants(t, 0, "disabled: pages.json", "account two")
	})
}

func TestOpenAIAccountsSayHowTheirGatewayIsSpokenTo(t *testing.T) {
	d := newShell(t)
	d.env = []string{"OPENAI_API_KEY=the-key"}
	writeFile(t, "easel.yaml", "providers: {openai: {model: m, accounts: [{async: on, edits: multipart}]}}")
	d.easel("providers", "openai").wants(t, 0, "polled")
	for option, says := range map[string]string{"async: soon": `async: is "soon"; accepted are on and off`, "edits: xml": `edits: is "xml"; accepted are json and multipart`} {
		writeFile(t, "easel.yaml", "providers: {openai: {accounts: [{"+option+"}]}}")
		if got := d.easel("providers"); !strings.Contains(got.errors, says) {
			t.Errorf("%s: %s", option, got.errors)
		}
	}
}
