package service_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"

	"github.com/admin-gateway/admin-gateway/internal/catalogtest"
	"github.com/admin-gateway/admin-gateway/internal/gatewaytest"
	"github.com/admin-gateway/admin-gateway/internal/redistest"
	"github.com/admin-gateway/admin-gateway/upstream"
	"github.com/admin-gateway/admin-gateway/upstream/adminjson"
)

// strayKey looks like a key that the upstream forgot to redact; strayValue looks like none.
const (
	strayKey   = "sk-proj-Stray0123456789abcdefghijklmnop"
	strayValue = "whole-stray-value"
)

// newStrayGateway is a gateway with both caches and counted drift, in front of a server
// that answers each operation with the body of the test.
func newStrayGateway(t *testing.T, body func() string) (*gatewaytest.Gateway, string) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(body()))
	}))
	t.Cleanup(server.Close)
	client, err := upstream.New(upstream.Config{BaseURL: server.URL + "/v1", Key: gatewaytest.SandboxKey{}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	addr := redistest.Start(t)
	return gatewaytest.New(t, gatewaytest.WithUpstream(client), gatewaytest.WithRedisCache(addr), gatewaytest.WithDrift(), gatewaytest.WithLogs()), addr
}

// TestStrayKeysGoNowhere: a key in the answer of any method that hands out none is in no
// typed answer, in none of the REST door, in no cache, in no name of drift and in no log;
// and a method that hands out a key does.
func TestStrayKeysGoNowhere(t *testing.T) {
	t.Parallel()
	var body string
	gw, addr := newStrayGateway(t, func() string { return body })
	handed := 0
	for _, s := range readTour(t, gw.Catalog) {
		body = strings.TrimSuffix(catalogtest.LeastAnswer(t, s.method), "}") +
			`,"name":"it is ` + strayKey + `","value":"` + strayKey + `","redacted_value":"` + strayKey + `","` + strayKey + `":[{"key":"` + strayKey + `"}]}`
		request := s.message(t, validTourValues(t))
		for range 2 { // The second is answered by a cache where there is one.
			for _, d := range []gatewaytest.Door{doors[0], doors[len(doors)-1]} {
				response := s.method.Response.New().Interface()
				if err := gatewaytest.As("root", gw.Transport(d)).CallUnary(t.Context(), s.method.Spec(), request, response); err != nil {
					t.Fatalf("%s: %v", s.method.ShortName(), err)
				}
				text, err := protojson.Marshal(response)
				if err != nil {
					t.Fatal(err)
				}
				if d.REST {
					text = append(text, gw.LastREST().Body...)
				}
				switch shown := bytes.Contains(text, []byte(strayKey)); {
				case shown && !s.method.Secret:
					t.Errorf("%s shows the key through %s: %s", s.method.ShortName(), d.Name, text)
				case shown:
					handed++
				}
			}
		}
	}
	if handed == 0 {
		t.Error("no method hands out a key")
	}
	held, entries := everythingIn(t, addr)
	if entries < 30 || strings.Contains(held, strayKey) {
		t.Errorf("Redis holds %d answers, and the key: %t", entries, strings.Contains(held, strayKey))
	}
	for _, e := range gw.Drift.Snapshot() {
		if strings.Contains(e.Member, "sk-") {
			t.Errorf("drift names %s", e.Member)
		}
	}
	if strings.Contains(gw.Logs.Text(), strayKey) {
		t.Error("the log shows the key")
	}
}

// TestStrayValuesAreMasked: the value of a key, whatever it looks like, that a list has
// beside the redacted one is in no answer and in no cache, and is counted once.
func TestStrayValuesAreMasked(t *testing.T) {
	t.Parallel()
	body := sync.OnceValue(func() string {
		return `{"object":"list","data":[{"id":"key_1","object":"organization.project.api_key","redacted_value":"w...e","value":"` + strayValue + `"}],"has_more":false}`
	})
	gw, addr := newStrayGateway(t, body)
	for _, name := range []string{"AdminApiKeyService/ListAdminApiKeys", "ProjectApiKeyService/ListProjectApiKeys"} {
		for _, s := range readTour(t, gw.Catalog) {
			if s.method.ShortName() != name {
				continue
			}
			for range 2 {
				response := s.method.Response.New().Interface()
				if err := gatewaytest.As("root", gw.REST()).CallUnary(t.Context(), s.method.Spec(), s.message(t, validTourValues(t)), response); err != nil {
					t.Fatal(err)
				}
				if said := gw.LastREST().Body; !bytes.Contains(said, []byte(`"value":"[redacted]"`)) || bytes.Contains(said, []byte(strayValue)) {
					t.Errorf("%s shows the value: %s", name, said)
				}
			}
			break
		}
	}
	if held, entries := everythingIn(t, addr); entries != 2 || strings.Contains(held, strayValue) {
		t.Errorf("Redis holds %d answers: %.300s", entries, held)
	}
	counted := 0
	for _, e := range gw.Drift.Snapshot() {
		if e.Kind == adminjson.Unredacted && e.Member == "value" {
			counted += int(e.Count)
		}
	}
	if counted != 2 {
		t.Errorf("%d were counted, want 2: %v", counted, gw.Drift.Snapshot())
	}
}
