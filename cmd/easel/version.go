package main

import (
	"cmp"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// build is what this program was made from.
type build struct {
	Version  string `json:"version"`
	Revision string `json:"revision,omitempty"`
	Modified bool   `json:"modified,omitempty"` // made from files that were not committed
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

func thisBuild() build {
	b := build{Version: "(devel)", Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	b.Version = cmp.Or(info.Main.Version, b.Version)
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Revision = s.Value
		case "vcs.modified":
			b.Modified = s.Value == "true"
		}
	}
	return b
}

func versionCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Say which easel this is", Args: takes(0, 0),
		RunE: func(*cobra.Command, []string) error {
			b := thisBuild()
			return a.out.answer(b, func(w io.Writer) {
				fmt.Fprintf(w, "easel %s (%s, %s)\n", b.Version, b.Go, b.Platform)
			})
		},
	}
}

// accountHelp is about the file that the environment names.
func accountHelp() string {
	text := `EASEL_CONFIG configures providers. Accounts take name, key, base_url, per_minute, in_flight,
webhooks and webhook_secret, and those of some adapters more:
`
	for _, name := range adapterNames() {
		shown := name
		for _, o := range kindOf(name).Options {
			text += fmt.Sprintf("\n  %-11s %s: %s", shown, o.Name, o.Help)
			shown = ""
		}
	}
	return text + `

  providers:
    openai:
      accounts:
        - {name: gateway, key: "${GATEWAY_KEY}", base_url: "https://gateway.example/v1", async: on, edits: multipart}`
}

// environmentTopic is `easel help environment`.
func environmentTopic() *cobra.Command {
	text := "Settings come from the environment; an empty variable is not set.\n"
	for _, s := range settings {
		text += fmt.Sprintf("\n  %-22s %s", s.name, s.help)
	}
	for _, name := range adapterNames() {
		if key := kindOf(name).KeyVariable; key != "" {
			text += fmt.Sprintf("\n  %-22s key of the provider %s", key, name)
			if kindOf(name).BaseURL == "" {
				text += "; easel.yaml has to name its base_url"
			}
		}
	}
	text += "\n\n" + accountHelp()
	return &cobra.Command{Use: "environment", Short: "The settings that easel reads", Long: text}
}
