package deploy

import (
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
)

// compose loads the file as docker compose does.
func compose(t *testing.T) *types.Project {
	t.Helper()
	options, err := cli.NewProjectOptions([]string{folder + "/compose.yaml"})
	if err != nil {
		t.Fatal(err)
	}
	project, err := options.LoadProject(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return project
}

// TestComposeIsConfined: every service is confined, and no port is open to other
// machines.
func TestComposeIsConfined(t *testing.T) {
	t.Parallel()
	project := compose(t)
	for _, name := range []string{"gateway", "redis", "prometheus", "grafana"} {
		if _, ok := project.Services[name]; !ok {
			t.Errorf("there is no %s", name)
		}
	}
	for name, s := range project.Services {
		if !s.ReadOnly || s.Privileged || !slices.Equal(s.CapDrop, []string{"ALL"}) || len(s.CapAdd) > 0 || !slices.Contains(s.SecurityOpt, "no-new-privileges:true") {
			t.Errorf("%s is not confined", name)
		}
		if s.NetworkMode != "" && s.NetworkMode != "default" || s.Pid != "" || s.Ipc != "" {
			t.Errorf("%s shares a namespace of the machine", name)
		}
		for _, p := range s.Ports {
			if p.HostIP != "127.0.0.1" {
				t.Errorf("%s publishes %s on %q", name, p.Published, p.HostIP)
			}
		}
		for _, v := range s.Volumes {
			if v.Type == types.VolumeTypeBind && (!v.ReadOnly || !exists(v.Source)) {
				t.Errorf("%s mounts %s, which it could write, or which is not there", name, v.Source)
			}
		}
		// Compose refuses to give these to a read-only container.
		for _, secret := range s.Secrets {
			if file := project.Secrets[secret.Source].File; filepath.Base(filepath.Dir(file)) != "secrets" || !strings.Contains(read(t, folder+"/README.md"), "deploy/secrets/"+filepath.Base(file)) {
				t.Errorf("%s is given %s, which the README does not mention", name, file)
			}
		}
	}
	if gateway := project.Services["gateway"]; gateway.User != strconv.Itoa(nonroot)+":"+strconv.Itoa(nonroot) {
		t.Errorf("the gateway runs as %s", gateway.User)
	}
}

// TestComposeGateway: config and policy are good, and the service has every file and
// port that they name.
func TestComposeGateway(t *testing.T) {
	t.Parallel()
	project := compose(t)
	gateway := project.Services["gateway"]
	text := read(t, folder+"/compose/gateway.yaml")
	config := parseConfig(t, text)
	if said := output(t, []string{"GATEWAY_POLICY=" + folder + "/compose/policy.yaml"}, "check", "--config", folder+"/compose/gateway.yaml"); !strings.Contains(said, "are good") {
		t.Errorf("the gateway says %q", said)
	}
	if !slices.Equal(gateway.Command, []string{"serve", "--config", "/etc/gateway/gateway.yaml"}) || gateway.Volumes[0].Target != "/etc/gateway" {
		t.Errorf("command %q, volumes %v", gateway.Command, gateway.Volumes)
	}
	for key, file := range pathsIn(t, text) {
		secret := slices.ContainsFunc(gateway.Secrets, func(s types.ServiceSecretConfig) bool { return file == "/run/secrets/"+s.Source })
		if !secret && !exists(folder+"/compose/"+strings.TrimPrefix(file, "/etc/gateway/")) {
			t.Errorf("%s is %s, which is not there", key, file)
		}
	}
	var published []string
	for _, p := range gateway.Ports {
		published = append(published, ":"+strconv.Itoa(int(p.Target)))
	}
	if !slices.Equal(published, []string{config.Listen, config.GRPCListen}) {
		t.Errorf("published are %v", published)
	}
	if _, whole := ending(t, config); time.Duration(*gateway.StopGracePeriod) < whole+afterwards {
		t.Errorf("the gateway has %s to end", gateway.StopGracePeriod)
	}
	if gateway.Environment["GOMEMLIMIT"] == nil || gateway.MemLimit == 0 {
		t.Error("memory is not bounded")
	}
}

// TestComposeRedis: it evicts nothing, and only the gateway reaches it.
func TestComposeRedis(t *testing.T) {
	t.Parallel()
	project := compose(t)
	redis := project.Services["redis"]
	for option, want := range map[string]string{"--maxmemory-policy": "noeviction", "--appendonly": "yes"} {
		if n := slices.Index(redis.Command, option); n < 0 || n+1 >= len(redis.Command) || redis.Command[n+1] != want {
			t.Errorf("%s is not %s in %q", option, want, redis.Command)
		}
	}
	if !slices.Contains(redis.Command, "--maxmemory") {
		t.Error("without a bound the machine decides what is forgotten")
	}
	if len(redis.Ports) > 0 || len(redis.Networks) != 1 || !project.Networks["redis"].Internal {
		t.Error("Redis can be reached from elsewhere")
	}
	for name, s := range project.Services {
		if _, joined := s.Networks["redis"]; joined != (name == "redis" || name == "gateway") {
			t.Errorf("%s is beside Redis: %t", name, joined)
		}
	}
	config := parseConfig(t, read(t, folder+"/compose/gateway.yaml"))
	if !strings.HasPrefix(config.Cache.RedisURL, "redis://redis:6379/") {
		t.Errorf("the gateway looks for Redis at %s", config.Cache.RedisURL)
	}
}
