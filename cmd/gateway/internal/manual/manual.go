package manual

import (
	_ "embed"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

//go:embed intro.txt
var intro string

// Write writes the page, in Markdown. Flags of a group that several commands have are
// described once. Hidden commands and flags are left out.
func Write(w io.Writer, app *kong.Application) error {
	p := &page{groups: make(map[string]*group)}
	p.text.WriteString(intro)
	leaves := app.Leaves(true)
	for _, command := range leaves {
		for _, flag := range command.Flags {
			p.count(command, flag)
		}
	}
	p.shared()
	p.text.WriteString("## Commands\n")
	for _, command := range leaves {
		p.command(command)
	}
	text := strings.ReplaceAll(p.text.String(), "\n\n\n", "\n\n")
	_, err := io.WriteString(w, strings.TrimRight(text, "\n")+"\n")
	return err
}

// page is the page so far.
type page struct {
	text   strings.Builder
	groups map[string]*group
	order  []string
}

// group is a group of flags, as the first command has them.
type group struct {
	flags    []*kong.Flag
	first    *kong.Node
	commands int
	last     *kong.Node
}

func (p *page) count(command *kong.Node, flag *kong.Flag) {
	if flag.Group == nil || flag.Hidden {
		return
	}
	g := p.groups[flag.Group.Key]
	if g == nil {
		g = &group{first: command}
		p.groups[flag.Group.Key] = g
		p.order = append(p.order, flag.Group.Key)
	}
	if command == g.first {
		g.flags = append(g.flags, flag)
	}
	if command != g.last {
		g.last = command
		g.commands++
	}
}

// isShared says whether a flag is described with its group.
func (p *page) isShared(flag *kong.Flag) bool {
	return flag.Group != nil && p.groups[flag.Group.Key].commands > 1
}

// shared describes the groups that several commands have.
func (p *page) shared() {
	for _, name := range p.order {
		if g := p.groups[name]; g.commands > 1 {
			fmt.Fprintf(&p.text, "## Flags: %s\n\n", strings.ToLower(name))
			p.flags(g.flags)
		}
	}
}

// command describes a command.
func (p *page) command(command *kong.Node) {
	fmt.Fprintf(&p.text, "\n### %s\n\n%s", command.FullPath(), command.Help)
	if command.Detail != "" {
		p.text.WriteString("\n\n" + command.Detail)
	}
	usage := command.FullPath()
	for _, arg := range command.Positional {
		usage += " " + arg.Summary()
	}
	fmt.Fprintf(&p.text, "\n\n```sh\n%s\n```\n\n", usage)
	for _, arg := range command.Positional {
		fmt.Fprintf(&p.text, "- `%s`: %s\n", arg.Summary(), arg.Help)
	}
	if len(command.Positional) > 0 {
		p.text.WriteByte('\n')
	}
	var own []*kong.Flag
	var groups []string
	for _, flag := range command.Flags {
		switch {
		case flag.Hidden:
		case !p.isShared(flag):
			own = append(own, flag)
		case !slices.Contains(groups, flag.Group.Key):
			groups = append(groups, flag.Group.Key)
		}
	}
	p.flags(own)
	for _, name := range groups {
		fmt.Fprintf(&p.text, "And the flags of [%s](#flags-%[1]s).\n", strings.ToLower(name))
	}
}

// flags is a table of flags.
func (p *page) flags(flags []*kong.Flag) {
	if len(flags) == 0 {
		return
	}
	p.text.WriteString("| flag | variable | meaning |\n|---|---|---|\n")
	for _, flag := range flags {
		variables := "-"
		if len(flag.Envs) > 0 {
			variables = "`" + strings.Join(flag.Envs, "`, `") + "`"
		}
		name := "`" + cell(flag.String()) + "`"
		if flag.Required {
			name += ", required"
		}
		help := cell(flag.Help)
		if flag.HasDefault && flag.PlaceHolder != "" && flag.Default != "" {
			help += " By default `" + cell(flag.Default) + "`."
		}
		fmt.Fprintf(&p.text, "| %s | %s | %s |\n", name, variables, help)
	}
	p.text.WriteByte('\n')
}

// cell is a text in a cell of a table.
func cell(text string) string { return strings.ReplaceAll(text, "|", `\|`) }
