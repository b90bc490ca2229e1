package main

import (
	_ "embed"
	"fmt"
	"io"
	"strings"

	"github.com/alecthomas/kong"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/build"
	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/complete"
	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/config"
	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/output"
)

// The scripts that make a shell ask __complete.
var (
	//go:embed completion/gateway.bash
	bashCompletion string
	//go:embed completion/gateway.zsh
	zshCompletion string
	//go:embed completion/gateway.fish
	fishCompletion string
)

type completionCommand struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"bash, zsh or fish."`
}

// Help says where the script goes.
func (*completionCommand) Help() string {
	return "For this shell: source <(gateway completion bash). For all: write it to a file that the shell reads, such as /etc/bash_completion.d/gateway, _gateway in a folder of zsh's fpath, or ~/.config/fish/completions/gateway.fish."
}

// Run prints the script.
func (c *completionCommand) Run(std streams) error {
	script := map[string]string{"bash": bashCompletion, "zsh": zshCompletion, "fish": fishCompletion}[c.Shell]
	_, err := fmt.Fprint(std.out, script)
	return err
}

// completeCommand is what these scripts call.
type completeCommand struct {
	Words []string `arg:"" optional:"" passthrough:"" help:"Words behind the name of the program, the unfinished one last."`
}

// Run prints the words that can stand for the last one, a line for each.
func (c *completeCommand) Run(std streams, running *kong.Context) error {
	words := c.Words
	if len(words) > 0 && words[0] == "--" {
		words = words[1:]
	}
	for _, word := range complete.Words(running.Model, words, c.names) {
		// A name with a character that ends a line, or moves a terminal, is none to offer.
		if output.Printable(word) != word || strings.ContainsAny(word, " \t\n") {
			continue
		}
		if _, err := fmt.Fprintln(std.out, word); err != nil {
			return err
		}
	}
	return nil
}

// names are the names of RPCs, of fields of requests, and of callers. What cannot be read
// has none: nobody looks for an error there.
func (c *completeCommand) names(value *kong.Value, line complete.Line, written string) []string {
	switch value.Name {
	case "rpc", "service/method":
		return rpcNames()
	case "field":
		if len(line.Arguments) > 0 {
			return fieldNames(line.Arguments[0], written)
		}
	case "caller", "lease-of":
		if path := line.Flags["config"]; path != "" {
			return callerNames(path)
		}
	}
	return nil
}

func rpcNames() (names []string) {
	methods, err := build.LoadCatalog(config.Upstream{})
	if err != nil {
		return nil
	}
	for _, m := range methods.Methods() {
		names = append(names, m.ShortName())
	}
	return names
}

// fieldNames are the fields of an RPC's request as --field takes them: "name=", and those of
// the message that the written name leads to.
func fieldNames(rpc, written string) (names []string) {
	methods, err := build.LoadCatalog(config.Upstream{})
	if err != nil {
		return nil
	}
	method, err := methods.Find(rpc)
	if err != nil {
		return nil
	}
	of, prefix := method.Request.Descriptor(), ""
	for {
		name, rest, ok := strings.Cut(strings.TrimPrefix(written, prefix), ".")
		if !ok {
			break
		}
		field := of.Fields().ByName(protoreflect.Name(name))
		if field == nil || field.Message() == nil || field.IsList() || field.IsMap() {
			return nil
		}
		of, prefix = field.Message(), strings.TrimSuffix(written, rest)
	}
	for i := range of.Fields().Len() {
		field := of.Fields().Get(i)
		end := "="
		if field.IsMap() || field.Message() != nil && !field.IsList() && !strings.HasPrefix(string(field.Message().FullName()), "google.protobuf.") {
			end = "."
		}
		names = append(names, prefix+string(field.Name())+end)
	}
	return names
}

// callerNames are the callers of the policy of a config.
func callerNames(path string) []string {
	_, set, err := policyFlags{Config: path}.load(streams{io.Discard, io.Discard})
	if err != nil {
		return nil
	}
	return set.Callers()
}
