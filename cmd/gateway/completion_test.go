//go:build unix

package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/admin-gateway/admin-gateway/sandbox"
)

// completions are what the words go on with, without the help.
func completions(t *testing.T, args ...string) []string {
	t.Helper()
	var out, err bytes.Buffer
	if code := run(t.Context(), append([]string{"__complete"}, args...), streams{&out, &err}); code != 0 || err.Len() > 0 {
		t.Fatalf("exit code %d: %s", code, &err)
	}
	var words []string
	for line := range strings.Lines(out.String()) {
		word, _, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		words = append(words, word)
	}
	return words
}

// writePolicy writes a config with two callers and a role, and returns its path.
func writePolicy(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	policy := write("policy.yaml", `roles:
  - {name: search, project: proj_a, service_account: search, scopes: [api.model.request], ttl: 1h, max_ttl: 24h}
callers:
  - name: billing
    authenticate: [{token_sha256: 7897040ca114f88695a8b3ce622533dbc60016ac70a476ee58bc9b29ce09cdf7}]
    grants: [{permissions: [costs.read]}]
  - name: batch
    authenticate: [{token_sha256: 8897040ca114f88695a8b3ce622533dbc60016ac70a476ee58bc9b29ce09cdf7}]
    grants: [{permissions: [projects.read]}]
`)
	return write("gateway.yaml", "policy: "+policy+"\nupstream:\n  admin_key: {file: "+write("key", sandbox.DefaultAdminKey)+"}\n  budget: "+plenty+"\n")
}

// TestCompletion: commands, flags, values that the model, the catalog or the policy has, and
// nothing where nothing fits.
func TestCompletion(t *testing.T) {
	t.Parallel()
	config := writePolicy(t)
	for _, test := range []struct {
		name  string
		words []string
		want  []string
	}{
		{"commands", []string{"ca"}, []string{"catalog", "can", "call", "cache"}},
		{"commands of a command", []string{"cache", ""}, []string{"get", "purge"}},
		{"flags", []string{"catalog", "--fo"}, []string{"--format"}},
		{"values of a flag", []string{"catalog", "--format", "t"}, []string{"table", "tsv"}},
		{"values behind =", []string{"catalog", "--format=j"}, []string{"--format=json"}},
		{"shells", []string{"completion", ""}, []string{"bash", "zsh", "fish"}},
		{"services", []string{"call", "ProjectRate"}, []string{"ProjectRateLimitService/ListProjectRateLimits", "ProjectRateLimitService/UpdateProjectRateLimit"}},
		{"RPCs of a service", []string{"call", "--all", "ProjectService/G"}, []string{"ProjectService/GetProject"}},
		{"behind a flag with a value", []string{"call", "-H", "a:b", "--timeout", "1s", "ProjectService/G"}, []string{"ProjectService/GetProject"}},
		{"RPCs with their package", []string{"can", "--rpc", "admingateway.admin.v1.ProjectService/G"}, []string{"admingateway.admin.v1.ProjectService/GetProject"}},
		{"reads", []string{"cache", "get", "ProjectService/"}, []string{"ProjectService/ListProjects", "ProjectService/GetProject"}},
		{"fields", []string{"call", "ProjectService/GetProject", "-f", ""}, []string{"project_id="}},
		{"fields of another form", []string{"call", "ProjectService/GetProject", "--field=p"}, []string{"--field=project_id="}},
		{"truth", []string{"call", "ProjectService/ListProjects", "-f", "include_archived=t"}, []string{"include_archived=true"}},
		{"callers", []string{"can", "--config", config, "--caller", "b"}, []string{"billing", "batch"}},
		{"callers, without a policy", []string{"can", "--caller", "b"}, nil},
		{"callers of no policy", []string{"can", "--config", "/nonexistent", "--caller", "b"}, nil},
		{"roles", []string{"can", "--config", config, "--lease-role", ""}, []string{"search"}},
		{"files", []string{"serve", "--config", ""}, []string{":files"}},
		{"behind --", []string{"call", "--", "ProjectService/G"}, []string{"ProjectService/GetProject"}},
		{"a command that has a default", []string{"hold", "r"}, []string{"release"}},
		{"flags of the default", []string{"hold", "--rea"}, []string{"--reason"}},
		{"flags behind an argument of the default", []string{"hold", "team", "--rea"}, []string{"--reason"}},
		{"no such command", []string{"cal", "x"}, nil},
		{"no such RPC", []string{"call", "ProjectService/Nothing", "-f", ""}, nil},
		{"no such field", []string{"call", "ProjectService/GetProject", "-f", "x.y="}, nil},
	} {
		if got := completions(t, append([]string{"--"}, test.words...)...); !slices.Equal(got, test.want) {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
	if flags := completions(t, "--", "call", "--"); !slices.Contains(flags, "--address") || !slices.Contains(flags, "--all") || slices.Contains(flags, "--config") {
		t.Errorf("flags of call: %q", flags)
	}
	if flags := completions(t, "--", "call", "--all", "--"); !slices.Contains(flags, "--field") {
		t.Errorf("flags of call: %q", flags)
	}
	if commands := completions(t, "--", ""); slices.Contains(commands, "__complete") || !slices.Contains(commands, "serve") {
		t.Errorf("commands: %q", commands)
	}
	// bash has cut the words at = and :, and replaces what stands behind.
	if got := completions(t, "--line", "--breaks", " =:", "--", "gateway call 'ProjectService/ListProjects' -f include_archived=f"); !slices.Equal(got, []string{"false"}) {
		t.Errorf("behind a break of bash: %q", got)
	}
}

// TestCompletionInShells: the scripts, in the shells that they are for.
func TestCompletionInShells(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	program := filepath.Join(folder, "gateway")
	wrapper := "#!/bin/sh\n" + childVariable + "=1 exec '" + testProgram(t) + "' \"$@\"\n"
	if err := os.WriteFile(program, []byte(wrapper), 0o700); err != nil {
		t.Fatal(err)
	}
	// What a shell does when somebody presses TAB, as far as it can be had without a
	// terminal.
	bash := `source <(gateway completion bash) || exit
compopt() { printf '%s ' "$@"; }
tab() { COMP_LINE=$1 COMP_WORDS=(gateway); COMP_POINT=${#COMP_LINE}; _gateway; printf '%s ' "${COMPREPLY[@]}"; echo; }
tab 'gateway call ProjectService/G'
tab 'gateway call ProjectService/GetProject -f proj'
tab 'gateway catalog --format=t'
tab 'gateway serve --config '
complete -p gateway`
	zsh := `compdef() { echo "compdef $*"; }
_files() { echo files; }
compadd() { local -a words; words=("${(@P)@[-1]}"); [[ "$*" == *"-S "* ]] && print -n 'open '; print -r -- "${words[*]}"; }
source <(gateway completion zsh) || exit
tab() { words=("$@") CURRENT=$#; _gateway; }
tab gateway call ProjectService/G
tab gateway call ProjectService/GetProject -f proj
tab gateway catalog --format=t
tab gateway serve --config ''`
	fish := `gateway completion fish | source
complete -C 'gateway call ProjectService/G'
complete -C 'gateway call ProjectService/GetProject -f proj'
complete -C 'gateway catalog --format=t'
complete -C 'gateway serve --config /etc/host' | string match -r '^/etc/hosts$'`
	for _, test := range []struct{ shell, flag, script, want string }{
		{"bash", "--norc", bash, "ProjectService/GetProject \n-o nospace project_id= \ntable tsv \n-o default  \ncomplete -F _gateway gateway\n"},
		{"zsh", "-f", zsh, "compdef _gateway gateway\nProjectService/GetProject\nopen project_id=\n--format=table --format=tsv\nfiles\n"},
		{"fish", "--no-config", fish, "ProjectService/GetProject\tread, needs projects.read\nproject_id=\tstring\n--format=table\n--format=tsv\n/etc/hosts\n"},
	} {
		t.Run(test.shell, func(t *testing.T) {
			t.Parallel()
			path, err := exec.LookPath(test.shell)
			if err != nil {
				t.Skipf("%s is not installed", test.shell)
			}
			cmd := exec.CommandContext(t.Context(), path, test.flag, "-c", test.script)
			cmd.Env = append(os.Environ(), "PATH="+folder+string(os.PathListSeparator)+os.Getenv("PATH"), "HOME="+folder)
			got, err := cmd.CombinedOutput()
			if err != nil || string(got) != test.want {
				t.Errorf("%v:\n%s\nwant:\n%s", err, got, test.want)
			}
		})
	}
}
