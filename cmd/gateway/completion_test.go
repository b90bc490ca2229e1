//go:build unix

package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// shellScripts complete a line in a real shell: they get the file of the completion script
// and the words.
var shellScripts = map[string]string{ //nolint:gochecknoglobals // Never changes.
	"bash": `compopt() { :; }
source "$1"; shift
COMP_WORDS=(gateway "$@"); COMP_CWORD=$#
_gateway gateway "${COMP_WORDS[COMP_CWORD]}" ""
printf '%s\n' "${COMPREPLY[@]}"`,
	"zsh": `compdef() { : }; _files() { : }
compadd() { while [[ $1 != -- ]]; do shift; done; shift; printf '%s\n' "$@" }
source "$1"; shift
words=(gateway "$@"); CURRENT=$#words
_gateway`,
	"fish": `source $argv[1]
complete -C (string join -- ' ' gateway $argv[2..-1]) | string replace -r '\t.*' ''`,
}

// TestShellsComplete asks real shells, with the scripts that the program prints.
func TestShellsComplete(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	if err := os.Symlink(testProgram(t), filepath.Join(folder, "gateway")); err != nil {
		t.Fatal(err)
	}
	_, policy := readersPolicy(t)
	config := writeFile(t, "gateway.yaml", "policy: "+policy+"\nupstream: {admin_key: {env: K}}\n")
	for shell, script := range shellScripts {
		t.Run(shell, func(t *testing.T) {
			t.Parallel()
			program, err := exec.LookPath(shell)
			if err != nil {
				t.Skipf("%s is not installed", shell)
			}
			var printed bytes.Buffer
			if code := run(t.Context(), []string{"completion", shell}, streams{&printed, &printed}); code != 0 {
				t.Fatalf("exit code %d: %s", code, &printed)
			}
			file := writeFile(t, "completion", printed.String())
			for line, want := range map[string]string{
				"cata":                                    "catalog",
				"catalog --format j":                      "json",
				"completion f":                            "fish",
				"call UserService/ListU":                  "UserService/ListUsers",
				"call ProjectService/GetProject -f ":      "project_id=",
				"can --config " + config + " --caller re": "reader",
				"can --rpc UserService/DeleteU":           "UserService/DeleteUser",
				"can --config /none --caller re":          "",
			} {
				arguments := append([]string{"-c", script, "test", file}, strings.Split(line, " ")...)
				if shell == "fish" {
					arguments = append([]string{"-c", script, file}, strings.Split(line, " ")...)
				}
				command := exec.CommandContext(t.Context(), program, arguments...)
				command.Env = append(os.Environ(), "PATH="+folder+":"+os.Getenv("PATH"), childVariable+"=1", "HOME="+folder)
				command.Dir = folder // Where fish finds no file to offer instead.
				out, err := command.CombinedOutput()
				if got := strings.TrimSpace(string(out)); err != nil && shell != "fish" || got != want {
					t.Errorf("%s: %q, %v; want %q", line, got, err, want)
				}
			}
		})
	}
}
