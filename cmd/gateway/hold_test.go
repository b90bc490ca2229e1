package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connecthttp"

	inventoryv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/inventory/v1"
	"github.com/admin-gateway/admin-gateway/gen/admingateway/inventory/v1/inventoryv1connect"
	"github.com/admin-gateway/admin-gateway/internal/audittest"
	"github.com/admin-gateway/admin-gateway/internal/redistest"
	"github.com/admin-gateway/admin-gateway/internal/timetest"
	"github.com/admin-gateway/admin-gateway/sandbox"
	"github.com/admin-gateway/admin-gateway/service/authn"
)

// heldServed are the configs of two gateways over one Redis and one upstream, which lists
// projects and never answers about keys.
type heldServed struct {
	configs, audits []string
	tokens          map[string]string // the files of tokens, by caller
	asked           chan struct{}
}

func newHeldServed(t *testing.T) *heldServed {
	t.Helper()
	s := &heldServed{tokens: map[string]string{}, asked: make(chan struct{}, 100)}
	fake := sandbox.New(sandbox.Options{Seed: 1})
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/api_keys") {
			s.asked <- struct{}{}
			<-r.Context().Done()
			return
		}
		fake.ServeHTTP(w, r)
	}))
	t.Cleanup(upstream.Close)
	addr, policy := redistest.Start(t), "callers:\n"
	for _, name := range []string{"operator", "mallory"} {
		token, hash, err := authn.NewToken()
		if err != nil {
			t.Fatal(err)
		}
		s.tokens[name] = writeFile(t, name, token)
		policy += fmt.Sprintf(`
  - name: %s
    authenticate: [{token_sha256: %s}]
    grants: [{permissions: ["*"]}]
    limits: {requests_per_second: 1000, burst: 1000, concurrent: 100}
`, name, hash)
	}
	policy = writeFile(t, "policy.yaml", policy)
	for i := range 2 {
		s.audits = append(s.audits, filepath.Join(t.TempDir(), "audit.jsonl"))
		s.configs = append(s.configs, writeFile(t, fmt.Sprintf("gateway%d.yaml", i), `
listen: 127.0.0.1:0
ops_listen: 127.0.0.1:0
shutdown: {delay: 0s}
policy: `+policy+`
audit: {path: `+s.audits[i]+`}
cache: {redis_url: redis://`+addr+`}
leases: {organization: acme}
upstream:
  base_url: `+upstream.URL+`/v1
  admin_key: {file: `+writeFile(t, "key", sandbox.DefaultAdminKey)+`}
  budget: {organization: {calls_per_minute: 60000, burst: 1000}, default: {calls_per_minute: 60000, burst: 1000}}
`))
	}
	return s
}

// heldReplica is one life of one of them.
type heldReplica struct {
	command
	of       *heldServed
	url, ops string
}

func (s *heldServed) serve(t *testing.T, i int) heldReplica {
	t.Helper()
	r := heldReplica{command: start(t, "serve", "--config", s.configs[i]), of: s}
	r.url, r.ops = r.urls(t)
	return r
}

// read is a call of a caller: its status and text.
func (r heldReplica) read(t *testing.T, caller string) (int, string) {
	t.Helper()
	token, err := os.ReadFile(r.of.tokens[caller])
	if err != nil {
		t.Fatal(err)
	}
	return ask(t, http.MethodGet, r.url+"/v1/organization/projects?limit=1", "", "Authorization", "Bearer "+string(token))
}

// hold runs the command that holds callers.
func (r heldReplica) hold(t *testing.T, args ...string) (string, int) {
	t.Helper()
	return r.operate(t, append([]string{"hold"}, args...)...)
}

// operate runs a command as the operator.
func (r heldReplica) operate(t *testing.T, args ...string) (string, int) {
	t.Helper()
	var out bytes.Buffer
	code := run(t.Context(), append(slices.Clone(args), "--address", r.url, "--token-file", r.of.tokens["operator"]), streams{&out, &out})
	return out.String(), code
}

// stream begins an inventory of keys as mallory, and says how it ends.
func (r heldReplica) stream(t *testing.T) <-chan error {
	t.Helper()
	token, err := os.ReadFile(r.of.tokens["mallory"])
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	ctx, info := connect.NewClientContext(ctx)
	info.RequestHeader().Set("Authorization", "Bearer "+string(token))
	client := connect.NewClient(connecthttp.NewTransport(&http.Client{Transport: transport}, r.url))
	stream, err := inventoryv1connect.NewInventoryServiceClient(client).ListApiKeys(ctx, &inventoryv1.ListApiKeysRequest{})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		for {
			if _, err := stream.Receive(); err != nil {
				ended <- err
				return
			}
		}
	}()
	<-r.of.asked
	return ended
}

// TestHoldReachesAllReplicas: a caller that is held at the one gateway is refused at the
// other, where its stream ends; also after both were started anew, until it is released.
func TestHoldReachesAllReplicas(t *testing.T) {
	t.Parallel()
	s := newHeldServed(t)
	one, two := s.serve(t, 0), s.serve(t, 1)
	ended := two.stream(t)
	if out, code := one.hold(t, "mallory", "--for", "2h", "--reason", "its token leaked\x1b[2J"); code != 0 || !strings.Contains(out, "mallory") || strings.Contains(out, "\x1b") {
		t.Fatalf("hold: %d %s", code, out)
	}
	if status, text := one.read(t, "mallory"); status != http.StatusForbidden || !strings.Contains(text, "caller_held") {
		t.Errorf("at once, where it was held: %d %s", status, text)
	}
	if err := <-ended; connect.CodeOf(err) != connect.CodePermissionDenied {
		t.Errorf("the stream at the other replica ends with %v", err)
	}
	refused := func(r heldReplica) bool { status, _ := r.read(t, "mallory"); return status == http.StatusForbidden }
	timetest.Eventually(t, "the other replica refuses it", func() bool { return refused(two) })
	if status, text := two.read(t, "operator"); status != http.StatusOK {
		t.Errorf("another caller: %d %s", status, text)
	}
	if out, code := two.hold(t, "list"); code != 0 || !strings.Contains(out, "mallory") || !strings.Contains(out, "operator") || !strings.Contains(out, "its token leaked") {
		t.Errorf("list: %d %s", code, out)
	}
	if out, code := two.hold(t, "malory"); code != 1 || !strings.Contains(out, "no caller of this name") {
		t.Errorf("a name of nobody: %d %s", code, out)
	}
	if _, text := fetch(t, two.ops+"/metrics"); !strings.Contains(text, "gateway_callers_held 1\n") || !strings.Contains(text, `gateway_denied_total{reason="held"}`) {
		t.Error("the metrics do not have it")
	}
	one.stop(t)
	two.stop(t)

	one, two = s.serve(t, 0), s.serve(t, 1)
	if !refused(one) || !refused(two) {
		t.Error("it may call after a restart")
	}
	if out, code := two.hold(t, "release", "mallory"); code != 0 || !strings.Contains(out, "may call again") {
		t.Errorf("release: %d %s", code, out)
	}
	timetest.Eventually(t, "it may call again", func() bool { return !refused(one) && !refused(two) })
	if out, code := two.hold(t, "list"); code != 0 || !strings.Contains(out, "no caller is held") {
		t.Errorf("list: %d %s", code, out)
	}
	one.stop(t)
	two.stop(t)
	lines, err := os.ReadFile(s.audits[0])
	if err != nil {
		t.Fatal(err)
	}
	audittest.Lines(t, lines)
	if !bytes.Contains(lines, []byte("HoldService/CreateHold")) || !bytes.Contains(lines, []byte("its token leaked")) {
		t.Error("the hold is not recorded with its reason")
	}
}

// TestServeKeepsHoldsWithoutRedis: while the ledger does not answer, whoever is held stays
// so, and a gateway that begins then says that it knows of no hold.
func TestServeKeepsHoldsWithoutRedis(t *testing.T) {
	t.Parallel()
	server := redistest.StartServer(t)
	s := newHeldServed(t)
	for i, config := range s.configs {
		text, err := os.ReadFile(config)
		if err != nil {
			t.Fatal(err)
		}
		before, rest, _ := strings.Cut(string(text), "redis://")
		_, after, _ := strings.Cut(rest, "}")
		s.configs[i] = writeFile(t, filepath.Base(config), before+"redis://"+server.Addr+"}"+after)
	}
	one := s.serve(t, 0)
	if out, code := one.hold(t, "mallory"); code != 0 {
		t.Fatalf("hold: %d %s", code, out)
	}
	server.Kill()
	timetest.Eventually(t, "the log says that the holds cannot be read", func() bool {
		return strings.Contains(one.err.String(), `overrides of callers cannot be read: those that are known stay","document":"callers.holds"`)
	})
	if status, text := one.read(t, "mallory"); status != http.StatusForbidden {
		t.Errorf("without Redis: %d %s", status, text)
	}
	if out, code := one.hold(t, "release", "mallory"); code != 1 || !strings.Contains(out, "ledger does not answer") {
		t.Errorf("release: %d %s", code, out)
	}
	two := s.serve(t, 1)
	if status, text := fetch(t, two.ops+"/readyz?verbose"); status != http.StatusOK || !strings.Contains(text, "it is not known which callers are held") {
		t.Errorf("a start without Redis: %d %s", status, text)
	}
	if out, code := two.hold(t, "list"); code != 0 || !strings.Contains(out, "holds nobody") {
		t.Errorf("list: %d %s", code, out)
	}
	one.stop(t)
	two.stop(t)
}
