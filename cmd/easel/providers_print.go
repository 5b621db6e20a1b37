package main

import (
	"cmp"
	"fmt"
	"io"
	"strings"

	"github.com/easelqueue/easel/internal/cli"
	"github.com/jedib0t/go-pretty/v6/table"
)

func (o *output) providers(w io.Writer, list providerList, whole bool) {
	if whole {
		for _, p := range list.Providers {
			o.provider(w, p)
		}
		return
	}
	t := o.Table("provider", "model", "pictures", "inputs", "further fields", "calls are")
	for _, p := range list.Providers {
		t.AppendRow(table.Row{cli.OneLine(p.Name, 20), cli.OneLine(cmp.Or(p.Model, "-"), 32), p.Can.ImagesPerCall, p.Can.InputImages,
			strings.Join(p.Can.Fields, " "), strings.Join(p.Can.calls(), ", ")})
	}
	fmt.Fprintln(w, t.Render())
	if len(list.Others) == 0 {
		return
	}
	others := o.Table("not configured", "")
	for _, p := range list.Others {
		others.AppendRow(table.Row{cli.OneLine(p.Name, 20), p.needs()})
	}
	fmt.Fprintln(w, "\n"+others.Render())
}

func (o *output) provider(w io.Writer, p listedProvider) {
	t := o.Table()
	row := func(name, value string) { t.AppendRow(table.Row{name, value}) }
	row("provider", p.Name)
	if p.Needs != "" {
		row("not configured", p.Needs)
	}
	row("adapter", p.Adapter)
	row("model", cmp.Or(p.Model, "none by default"))
	row("size", cmp.Or(p.Can.Size, "none"))
	row("image_count", fmt.Sprintf("%d in one call; more become several calls", p.Can.ImagesPerCall))
	row("input pictures", fmt.Sprint(p.Can.InputImages))
	row("further fields", cmp.Or(strings.Join(p.Can.Fields, ", "), "none"))
	row("mask", map[bool]string{false: "no", true: "yes, as the parameter mask"}[p.Can.Mask])
	row("calls are", strings.Join(p.Can.calls(), ", "))
	row("unknown outcome", p.Rules.unknown())
	row("unbilled failure", p.Rules.serverError())
	for _, a := range p.Accounts {
		row("account "+cli.OneLine(a.Name, 20), a.words())
	}
	fmt.Fprintln(w, t.Render())
}

func (a listedAccount) words() string {
	if a.Disabled != "" {
		return "disabled: " + cli.OneLine(a.Disabled, 400)
	}
	words := []string{cmp.Or(a.BaseURL, "inside easel")}
	if a.PerMinute > 0 {
		words = append(words, fmt.Sprintf("%d calls a minute", a.PerMinute))
	}
	if a.InFlight > 0 {
		words = append(words, fmt.Sprintf("%d jobs at a time", a.InFlight))
	}
	if a.Callbacks {
		words = append(words, "calls back")
	}
	return cli.OneLine(strings.Join(words, ", "), 160)
}
