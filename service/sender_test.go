package service_test

import (
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect/v2"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/admin-gateway/admin-gateway/internal/catalogtest"
	"github.com/admin-gateway/admin-gateway/internal/gatewaytest"
	"github.com/admin-gateway/admin-gateway/sandbox"
	"github.com/admin-gateway/admin-gateway/service/audit"
	"github.com/admin-gateway/admin-gateway/service/catalog"
	"github.com/admin-gateway/admin-gateway/upstream"
)

// scissors cuts the connection after the sandbox has done what it was asked, and
// keeps what it would have answered.
type scissors struct {
	fake *sandbox.Sandbox

	mu    sync.Mutex
	armed bool
	kept  *httptest.ResponseRecorder
}

// arm makes the next answer be lost.
func (s *scissors) arm() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.armed, s.kept = true, nil
}

// lost is the answer that was.
func (s *scissors) lost(t *testing.T) *httptest.ResponseRecorder {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.armed || s.kept == nil || s.kept.Code != http.StatusOK {
		t.Fatalf("no answer of a write that was done was lost: %+v", s.kept)
	}
	return s.kept
}

func (s *scissors) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	armed := s.armed
	s.armed = false
	s.mu.Unlock()
	if !armed {
		s.fake.ServeHTTP(w, r)
		return
	}
	answer := httptest.NewRecorder()
	s.fake.ServeHTTP(answer, r)
	s.mu.Lock()
	s.kept = answer
	s.mu.Unlock()
	panic(http.ErrAbortHandler)
}

// TestLostAnswers makes every write of the catalog, and cuts the connection once
// the sandbox has done it. A POST has been asked for once, and its error says
// that the outcome is not known. A DELETE is asked for again; that it is gone
// then is what its caller wanted, and the answer is the one that was lost, but
// for the upstream's word for the kind of thing. All of it is on record.
func TestLostAnswers(t *testing.T) {
	t.Parallel()
	methods, log := catalogtest.Gateway(t), new(gatewaytest.Records)
	cutter := &scissors{fake: sandbox.New(sandbox.Options{
		Seed: 7, Users: 60, Projects: 12, AuditEvents: 50, Now: func() time.Time { return tourNow },
	})}
	server := httptest.NewServer(cutter)
	t.Cleanup(server.Close)
	client, err := upstream.New(upstream.Config{BaseURL: server.URL + "/v1", Key: gatewaytest.SandboxKey{}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	sender, err := upstream.NewSender(upstream.SenderOptions{
		Client:  client,
		Retry:   upstream.RetryOptions{FirstPause: time.Millisecond, BudgetRatio: 1},
		Breaker: upstream.BreakerOptions{MinCalls: 1 << 30, Consecutive: 1 << 30},
	})
	if err != nil {
		t.Fatal(err)
	}
	root := gatewaytest.New(t, gatewaytest.WithSender(sender), gatewaytest.WithAudit(log)).Client("root")

	w := newTourValues(t)
	posts, deletes, gone := 0, 0, 0
	for _, s := range readTour(t, methods) {
		op, name := s.method.Endpoint.String(), s.method.ShortName()
		got := s.method.Response.New().Interface()
		if s.method.Read {
			if err := root.CallUnary(t.Context(), s.method.Spec(), s.message(t, w), got); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			s.learn(t, w, got)
			continue
		}
		before := cutter.fake.Count(op)
		cutter.arm()
		err := root.CallUnary(t.Context(), s.method.Spec(), s.message(t, w), got)
		want := lostAnswer(t, s.method, cutter.lost(t).Body.Bytes())
		asked, code := cutter.fake.Count(op)-before, "ok"
		if s.method.Endpoint.Verb() == http.MethodDelete {
			deletes++
			if checkDeleted(t, name, asked, err, got, want) {
				gone++
			}
		} else {
			posts++
			code = connect.CodeUnknown.String()
			if asked != 1 || connect.CodeOf(err) != connect.CodeUnknown || reason(t, err) != upstream.ReasonOutcomeUnknown {
				t.Errorf("%s: asked %d times: %v", name, asked, err)
			}
		}
		kept := log.All()
		if last := kept[len(kept)-1]; last.Event != audit.EventCall || "/"+last.Method != s.method.Procedure || last.Code != code {
			t.Errorf("%s: recorded as %s of %s: %s", name, last.Event, last.Method, last.Code)
		}
		s.learn(t, w, want)
	}
	if posts < 40 || deletes != 25 || gone < 20 {
		t.Errorf("%d posts, %d deletes, of which %d were gone when asked for again", posts, deletes, gone)
	}
}

func lostAnswer(t *testing.T, m *catalog.Method, body []byte) proto.Message {
	t.Helper()
	decoded, err := m.Endpoint.Decode(body)
	if err != nil {
		t.Fatal(err)
	}
	answer := m.Response.New().Interface()
	if err := proto.Unmarshal(decoded.Wire, answer); err != nil {
		t.Fatal(err)
	}
	return answer
}

// checkDeleted compares the answer with the one that was lost, and tells whether
// the thing was gone when it was asked for again.
func checkDeleted(t *testing.T, name string, asked int, err error, got, want proto.Message) (gone bool) {
	t.Helper()
	if asked != 2 || err != nil {
		t.Errorf("%s: asked %d times: %v", name, asked, err)
		return false
	}
	expected := proto.Clone(want)
	inner, shown := expected.ProtoReflect(), got.ProtoReflect()
	if only := inner.Descriptor().Fields(); only.Len() == 1 && only.Get(0).Message() != nil {
		inner, shown = inner.Get(only.Get(0)).Message(), shown.Get(only.Get(0)).Message()
	}
	object := inner.Descriptor().Fields().ByName("object")
	if gone = !shown.Has(object); gone {
		inner.Range(func(field protoreflect.FieldDescriptor, _ protoreflect.Value) bool {
			if field.Name() != "id" && field.Name() != "deleted" {
				inner.Clear(field) // Only the upstream could say it.
			}
			return true
		})
	}
	if !gone { // The upstream said again that it is deleted.
		expected = want
	}
	if diff := cmp.Diff(expected, got, protocmp.Transform()); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
	return gone
}
