package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/easelqueue/easel/internal/app"
	"github.com/easelqueue/easel/internal/cli"
	"github.com/easelqueue/easel/internal/config"
)

func versionCommand(a *program) *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Say which easel this is", Args: cli.Takes(0, 0),
		RunE: func(*cobra.Command, []string) error {
			b := app.ThisBuild()
			return a.out.Answer(b, func(w io.Writer) {
				fmt.Fprintf(w, "easel %s (%s, %s)\n", b.Version, b.Go, b.Platform)
			})
		},
	}
}

// accountHelp is about the file that the environment names.
func accountHelp() string {
	text := `EASEL_CONFIG configures providers. Accounts take name, key, base_url, per_minute, in_flight,
callbacks and callback_secret, and those of some adapters more:
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
	for _, s := range config.Settings {
		text += fmt.Sprintf("\n  %-22s %s", s.Name, s.Help)
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
