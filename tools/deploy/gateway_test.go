package deploy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"sigs.k8s.io/yaml"
)

// patience bounds a child process; building takes longest.
const patience = 5 * time.Minute

// bin is the folder in which the gateway is built.
var bin string

// binary builds the gateway, once.
var binary = sync.OnceValues(func() (string, error) {
	file := filepath.Join(bin, "gateway")
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	build := exec.CommandContext(ctx, "go", "build", "-o", file, "./cmd/gateway")
	build.Dir = "../.."
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	return file, nil
})

func TestMain(m *testing.M) {
	var err error
	if bin, err = os.MkdirTemp("", "deploy-"); err != nil {
		panic(err)
	}
	m.Run()
	_ = os.RemoveAll(bin)
}

// command is a call of the real gateway, with env as its whole environment.
func command(t *testing.T, ctx context.Context, env []string, args ...string) *exec.Cmd { //nolint:revive // As in testing: t first.
	t.Helper()
	file, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(ctx, file, args...)
	c.Env = append([]string{"HOME=" + t.TempDir()}, env...)
	return c
}

func output(t *testing.T, env []string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c := command(t, ctx, env, args...)
	var errs strings.Builder
	c.Stderr = &errs
	out, err := c.Output()
	if err != nil {
		t.Fatalf("gateway %s: %v\n%s", strings.Join(args, " "), err, &errs)
	}
	return string(out)
}

// gatewayConfig is the part of a gateway.yaml that these tests read. The gateway itself
// checks the rest.
type gatewayConfig struct {
	Listen     string `json:"listen"`
	GRPCListen string `json:"grpc_listen"`
	OpsListen  string `json:"ops_listen"`
	Policy     string `json:"policy"`
	Shutdown   struct {
		Delay   string `json:"delay"`
		Timeout string `json:"timeout"`
	} `json:"shutdown"`
	Upstream struct {
		Budget struct {
			ReplicaShare float64 `json:"replica_share"`
		} `json:"budget"`
	} `json:"upstream"`
	Cache struct {
		RedisURL string `json:"redis_url"`
	} `json:"cache"`
	Audit struct {
		Path     string `json:"path"`
		Required bool   `json:"required"`
	} `json:"audit"`
}

func configOf(t *testing.T, i *installation) gatewayConfig {
	t.Helper()
	return parseConfig(t, i.config.Data["gateway.yaml"])
}

func parseConfig(t *testing.T, text string) gatewayConfig {
	t.Helper()
	var c gatewayConfig
	if err := yaml.Unmarshal([]byte(text), &c); err != nil {
		t.Fatal(err)
	}
	return c
}

// filesOf are the absolute paths in the config, by key.
func filesOf(t *testing.T, i *installation) map[string]string {
	t.Helper()
	return pathsIn(t, i.config.Data["gateway.yaml"])
}

func pathsIn(t *testing.T, text string) map[string]string {
	t.Helper()
	var whole any
	if err := yaml.Unmarshal([]byte(text), &whole); err != nil {
		t.Fatal(err)
	}
	found := make(map[string]string)
	var walk func(key string, value any)
	walk = func(key string, value any) {
		switch value := value.(type) {
		case map[string]any:
			for name, v := range value {
				walk(key+"."+name, v)
			}
		case []any:
			for _, v := range value {
				walk(key+"[]", v)
			}
		case string:
			if strings.HasPrefix(value, "/") {
				found[strings.TrimPrefix(key, ".")] = value
			}
		}
	}
	walk("", whole)
	return found
}

// key is a key of the config, as gateway config describes it.
type key struct {
	Key      string `json:"key"`
	Variable string `json:"variable"`
	Default  string `json:"default"`
}

// reference is every key that the gateway has.
func reference(t *testing.T) map[string]key {
	t.Helper()
	var list []key
	if err := json.Unmarshal([]byte(output(t, nil, "config", "--format", "json")), &list); err != nil {
		t.Fatal(err)
	}
	keys := make(map[string]key)
	for _, k := range list {
		keys[k.Key] = k
	}
	return keys
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func write(t *testing.T, folder, name, text string) string {
	t.Helper()
	file := filepath.Join(folder, name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// words are the words of a page, without the punctuation around them.
func words(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(" \t\n`|()<>,;:", r) })
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return !errors.Is(err, fs.ErrNotExist)
}

// drain reads the rest, so that the writer is not held up.
func drain(r io.Reader) { _, _ = io.Copy(io.Discard, r) }
