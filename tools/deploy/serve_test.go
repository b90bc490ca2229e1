package deploy

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// TestConfigIsAccepted: the gateway accepts the config and the policy that the pods
// would get.
func TestConfigIsAccepted(t *testing.T) {
	t.Parallel()
	i := build(t)
	at := t.TempDir()
	config := write(t, at, "gateway.yaml", i.config.Data["gateway.yaml"])
	policy := write(t, at, "policy.yaml", i.policy.Data["policy.yaml"])
	said := output(t, []string{"GATEWAY_POLICY=" + policy}, "check", "--config", config)
	if !strings.Contains(said, "are good") {
		t.Errorf("the gateway says %q", said)
	}
	if args := i.gateway().Args; !slices.Equal(args, []string{"serve", "--config", "/etc/gateway/config/gateway.yaml"}) {
		t.Errorf("args %q", args)
	}
	if c := configOf(t, i); c.Policy != "/etc/gateway/policy/policy.yaml" || !c.Audit.Required || c.Audit.Path != "-" {
		t.Errorf("config %+v", c)
	}
}

// TestListens: the gateway listens on the container's ports.
func TestListens(t *testing.T) {
	t.Parallel()
	i := build(t)
	c := configOf(t, i)
	for name, address := range map[string]string{"callers": c.Listen, "grpc": c.GRPCListen, "ops": c.OpsListen} {
		n := slices.IndexFunc(i.gateway().Ports, func(p corev1.ContainerPort) bool { return p.Name == name })
		if n < 0 || address != ":"+strconv.Itoa(int(i.gateway().Ports[n].ContainerPort)) {
			t.Errorf("port %s, and the gateway listens on %s", name, address)
		}
	}
}

// TestVariables: a variable with the gateway's prefix is one of its own.
func TestVariables(t *testing.T) {
	t.Parallel()
	known := make(map[string]bool)
	for _, k := range reference(t) {
		known[k.Variable] = true
	}
	if !known["GATEWAY_CACHE_REDIS_URL"] {
		t.Fatal("the reference lacks the variable that the README names")
	}
	env := build(t).gateway().Env
	names := make([]string, 0, len(env))
	for _, e := range env {
		names = append(names, e.Name)
	}
	for _, page := range append(examples(t), folder+"/kubernetes/components/vault", folder+"/kubernetes/components/console") {
		names = append(names, regexp.MustCompile(`\bGATEWAY_[A-Z_]+\b`).FindAllString(read(t, page+"/kustomization.yaml"), -1)...)
	}
	for _, page := range []string{folder + "/README.md", example + "/kustomization.yaml", folder + "/compose.yaml", "../../docs/operations.md"} {
		names = append(names, regexp.MustCompile(`\bGATEWAY_[A-Z_]+\b`).FindAllString(read(t, page), -1)...)
	}
	for _, name := range names {
		if strings.HasPrefix(name, "GATEWAY_") && !known[name] {
			t.Errorf("there is no variable %s", name)
		}
	}
}

// afterwards is the time of the end beyond shutdown.timeout: the last spans are sent,
// and some time to spare.
const afterwards = 10 * time.Second

// TestGrace: a pod is not killed before it has ended by itself, and serves on for as
// long as endpoints take to notice.
func TestGrace(t *testing.T) {
	t.Parallel()
	i := build(t)
	delay, whole := ending(t, configOf(t, i))
	if grace := time.Duration(*i.pod().TerminationGracePeriodSeconds) * time.Second; grace < whole+afterwards {
		t.Errorf("a pod has %s, and takes %s", grace, whole)
	}
	if delay < 5*time.Second || i.gateway().Lifecycle != nil {
		t.Errorf("the gateway stops %s after its SIGTERM, and something else delays it", delay)
	}
}

// ending returns how long the gateway serves on after SIGTERM, and the longest time
// until it has ended: from the config or, by default, from the reference.
func ending(t *testing.T, c gatewayConfig) (delay, whole time.Duration) {
	t.Helper()
	keys := reference(t)
	for key, into := range map[string]*time.Duration{"shutdown.delay": &delay, "shutdown.timeout": &whole} {
		text := map[string]string{"shutdown.delay": c.Shutdown.Delay, "shutdown.timeout": c.Shutdown.Timeout}[key]
		if text == "" {
			text = keys[key].Default
		}
		var err error
		if *into, err = time.ParseDuration(text); err != nil {
			t.Fatal(err)
		}
	}
	return delay, whole
}

// TestProbes runs the gateway with the config that the pods get, at other addresses and
// with other secrets, and makes the kubelet's requests.
func TestProbes(t *testing.T) {
	t.Parallel()
	i := build(t)
	at := t.TempDir()
	cert, certKey := certificate(t)
	env := []string{
		"GATEWAY_LISTEN=127.0.0.1:0", "GATEWAY_GRPC_LISTEN=127.0.0.1:0", "GATEWAY_OPS_LISTEN=127.0.0.1:0", "GATEWAY_SHUTDOWN_DELAY=0s",
		"GATEWAY_POLICY=" + write(t, at, "policy.yaml", i.policy.Data["policy.yaml"]),
		"GATEWAY_UPSTREAM_ADMIN_KEY_FILE=" + write(t, at, "admin-key", "not-a-key"),
		"GATEWAY_TLS_CERT_FILE=" + write(t, at, "tls.crt", cert), "GATEWAY_TLS_KEY_FILE=" + write(t, at, "tls.key", certKey),
		// There is no Redis here, and its keys have no effect without one.
		"GATEWAY_CACHE_REDIS_URL=", "GATEWAY_CACHE_REDIS_PASSWORD_FILE=", "GATEWAY_CACHE_ENCRYPTION_KEYS=[]",
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c := command(t, ctx, env, "serve", "--config", write(t, at, "gateway.yaml", i.config.Data["gateway.yaml"]))
	log, err := c.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	var said struct {
		Listen string `json:"listen"`
		Ops    string `json:"ops_listen"`
	}
	lines := bufio.NewScanner(log)
	for said.Ops == "" && lines.Scan() {
		_ = json.Unmarshal(lines.Bytes(), &said) // Other lines have other members.
		if said.Ops == "" {
			t.Logf("%s", lines.Bytes())
		}
	}
	if said.Ops == "" {
		t.Fatalf("the gateway did not serve: %v", c.Wait())
	}
	go drain(log)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	defer client.CloseIdleConnections()
	gateway := i.gateway()
	for name, probe := range map[string]*corev1.Probe{"startup": gateway.StartupProbe, "liveness": gateway.LivenessProbe, "readiness": gateway.ReadinessProbe} {
		if probe == nil || probe.HTTPGet == nil || probe.HTTPGet.Port.StrVal != "ops" || probe.HTTPGet.Scheme == corev1.URISchemeHTTPS {
			t.Errorf("%s probe %+v", name, probe)
			continue
		}
		if got := status(t, client, "http://"+said.Ops+probe.HTTPGet.Path); got != http.StatusOK {
			t.Errorf("%s probe: %d", name, got)
		}
		if got := status(t, client, "https://"+said.Listen+probe.HTTPGet.Path); got == http.StatusOK {
			t.Errorf("callers can ask the %s probe's path", name)
		}
	}
	if gateway.LivenessProbe.HTTPGet.Path != "/healthz" || gateway.ReadinessProbe.HTTPGet.Path != "/readyz" {
		t.Error("a gateway that is not ready would be restarted")
	}
	if got := status(t, client, "http://"+said.Ops+build(t).monitor.Spec.PodMetricsEndpoints[0].Path); got != http.StatusOK {
		t.Errorf("metrics: %d", got)
	}
	if err := c.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := c.Wait(); err != nil {
		t.Errorf("the gateway ended with %v", err)
	}
}

func status(t *testing.T, client *http.Client, url string) int {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	reply, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = reply.Body.Close() }()
	drain(reply.Body)
	return reply.StatusCode
}

// certificate makes one for loopback, and its key.
func certificate(t *testing.T) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "gateway"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	encode := func(kind string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	return encode("CERTIFICATE", der), encode("PRIVATE KEY", keyDER)
}
