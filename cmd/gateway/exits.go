package main

import (
	"strings"

	"github.com/alecthomas/kong"
)

const (
	// exitsWord begins what a help text says of exit codes.
	exitsWord = "Exit codes: "
	// usualExits is that of a command that has no others.
	usualExits = exitsWord + "0 done; 1 failed; 2 wrong command line."
	// allExits is that of the program.
	allExits = exitsWord + "0 done; 1 failed, or the answer is no; 2 wrong command line; 130 or 143 ended by a second signal. The help of a command says which others it has."
)

// sayExits makes the help of every command say its exit codes: a command with others than
// the usual ones says them in its method Help.
func sayExits(k *kong.Kong) error {
	k.Model.Detail = allExits
	for _, command := range k.Model.Leaves(false) {
		if !strings.Contains(command.Detail, exitsWord) {
			command.Detail = strings.TrimPrefix(command.Detail+"\n\n"+usualExits, "\n\n")
		}
	}
	return nil
}
