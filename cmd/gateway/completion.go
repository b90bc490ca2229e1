package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/build"
	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/complete"
	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/config"
	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/fill"
	"github.com/admin-gateway/admin-gateway/service/catalog"
)

type completionCommand struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"bash, zsh or fish."`
}

// Help says where the script goes.
func (*completionCommand) Help() string {
	return "For this session: source <(gateway completion bash), the same with zsh, and gateway completion fish | source. " +
		"For all: write it to /etc/bash_completion.d/gateway, to _gateway in a folder of $fpath, or to ~/.config/fish/completions/gateway.fish."
}

// Run prints the script.
func (c *completionCommand) Run(std streams) error {
	_, err := io.WriteString(std.out, complete.Script(c.Shell))
	return err
}

type completeCommand struct {
	Line   bool     `help:"The argument is the line of a shell, with the name of the program."`
	Breaks string   `help:"Characters that end a word for the shell, which replaces only the last one."`
	Words  []string `arg:"" optional:"" help:"The words behind the name of the program."`
}

// Run prints what the command line may go on with. What is wrong with the line is no error:
// nothing is offered then.
func (c *completeCommand) Run(parser *kong.Context, std streams) error {
	words := c.Words
	if c.Line {
		words = complete.Split(strings.Join(words, " "))
		words = words[min(1, len(words)):]
	}
	reply := complete.After(parser.Model, words, valuesOf)
	if len(words) > 0 {
		reply = reply.Behind(words[len(words)-1], c.Breaks)
	}
	_, err := io.WriteString(std.out, reply.Lines())
	return err
}

// valuesOf are the values of flags and arguments that the catalog and the policy know.
func valuesOf(kind, prefix string, line complete.Line) []complete.Candidate {
	switch kind {
	case "caller", "role":
		return policyNames(kind, line)
	case "rpc", "read", "field":
	default:
		return nil
	}
	methods, err := build.LoadCatalog(config.Upstream{})
	if err != nil {
		return nil
	}
	if kind != "field" {
		return rpcNames(methods.Catalog, prefix, kind == "read")
	}
	name := line.Args["service/method"]
	if name == "" {
		name = line.Flags["rpc"]
	}
	method, err := methods.Find(name)
	if err != nil {
		return nil
	}
	var all []complete.Candidate
	for _, field := range fill.Complete(method.Request.Descriptor(), prefix) {
		all = append(all, complete.Candidate{Word: field.Text, Help: field.Help})
	}
	return all
}

// policyNames are the callers or the roles of the policy, where the line names a config.
func policyNames(kind string, line complete.Line) []complete.Candidate {
	if line.Flags["config"] == "" {
		return nil
	}
	_, set, err := policyFlags{line.Flags["config"]}.load(streams{io.Discard, io.Discard})
	if err != nil {
		return nil
	}
	var all []complete.Candidate
	if kind == "caller" {
		for _, name := range set.Callers() {
			all = append(all, complete.Candidate{Word: name})
		}
		return all
	}
	for _, role := range set.Roles().All() {
		all = append(all, complete.Candidate{Word: role.Name})
	}
	return all
}

// rpcNames are the services, and the RPCs of the one that a word leads to. The package stands
// ahead where two services have the name, or the word begins with it.
func rpcNames(methods *catalog.Catalog, prefix string, reads bool) []complete.Candidate {
	var inside, services []complete.Candidate
	seen := make(map[string]bool)
	for _, method := range methods.Methods() {
		if reads && !method.Stored() {
			continue
		}
		name := method.ShortName()
		if _, err := methods.Find(name); err != nil || !strings.HasPrefix(name, prefix) {
			name = method.Name()
		}
		service, _, _ := strings.Cut(name, "/")
		if !strings.HasPrefix(name, prefix) {
			continue
		}
		inside = append(inside, complete.Candidate{Word: name, Help: about(method)})
		if !seen[service] {
			seen[service] = true
			services = append(services, complete.Candidate{Word: service + "/"})
		}
	}
	if len(services) > 1 && !strings.Contains(prefix, "/") {
		return services
	}
	return inside
}

// about describes an RPC.
func about(method *catalog.Method) string {
	kind := "write"
	if method.Read {
		kind = "read"
	}
	return fmt.Sprintf("%s, needs %s", kind, method.Permission)
}
