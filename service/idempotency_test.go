package service_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"connectrpc.com/connect/v2"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/admin-gateway/admin-gateway/internal/admissiontest"
	"github.com/admin-gateway/admin-gateway/internal/catalogtest"
	"github.com/admin-gateway/admin-gateway/internal/gatewaytest"
	"github.com/admin-gateway/admin-gateway/internal/racing"
	"github.com/admin-gateway/admin-gateway/internal/redistest"
	"github.com/admin-gateway/admin-gateway/sandbox"
	"github.com/admin-gateway/admin-gateway/service/audit"
	"github.com/admin-gateway/admin-gateway/service/rpcerror"
	"github.com/admin-gateway/admin-gateway/upstream"
)

// audited is how the calls of the records were answered, "intent" for what was
// announced.
func audited(records []audit.Record) string {
	var events []string
	for _, r := range records {
		switch r.Event {
		case audit.EventIntent:
			events = append(events, "intent")
		default:
			events = append(events, strings.TrimSpace(r.Code+" "+r.Idempotency))
		}
	}
	return strings.Join(events, ", ")
}

// TestKeyedWrites makes every write of the tour twice, through every door, the
// second time on another replica: the sandbox is asked once, and both answers are
// the same.
func TestKeyedWrites(t *testing.T) {
	t.Parallel()
	for _, d := range racing.Some(append(doors[:4:4], doors[len(doors)-1]), 3) {
		t.Run(d.Name, func(t *testing.T) {
			t.Parallel()
			methods, addr := catalogtest.Gateway(t), redistest.Start(t)
			fake, up := newTourSandbox(t)
			a, b := newKeyedGateway(t, up, gatewaytest.SealedOutcomes(t, gatewaytest.RedisOutcomes(t, addr))), newKeyedGateway(t, up, gatewaytest.SealedOutcomes(t, gatewaytest.RedisOutcomes(t, addr)))
			here, there := gatewaytest.As("root", a.Transport(d)), gatewaytest.As("root", b.Transport(d))
			w, writes := newTourValues(t), 0
			for _, s := range readTour(t, methods) {
				request, key := s.message(t, w), "a key for every read"
				if !s.method.Read {
					key = fmt.Sprintf("tour.txt:%d", s.line)
					writes++
				}
				before, atA, atB := fake.Count(s.method.Endpoint.String()), len(a.Records.All()), len(b.Records.All())
				first, replayed, err := callKeyed(t.Context(), t, here, key, s.method, request)
				if err != nil || replayed {
					t.Fatalf("tour.txt:%d: %s: %v, replayed: %t", s.line, s.method.ShortName(), err, replayed)
				}
				second, replayed, err := callKeyed(t.Context(), t, there, key, s.method, request)
				asked := fake.Count(s.method.Endpoint.String()) - before
				if s.method.Read {
					if replayed || asked != 2 {
						t.Errorf("%s: a read was replayed: %t, asked %d times", s.method.ShortName(), replayed, asked)
					}
				} else if err != nil || !replayed || asked != 1 || !proto.Equal(first, second) {
					t.Errorf("%s: %v, replayed: %t, asked %d times\n%v\n%v", s.method.ShortName(), err, replayed, asked, first, second)
				}
				wantA, wantB := "intent, ok first", "ok replayed"
				if s.method.Read {
					wantA, wantB = "ok", "ok"
				}
				if gotA, gotB := audited(a.Records.All()[atA:]), audited(b.Records.All()[atB:]); gotA != wantA || gotB != wantB {
					t.Errorf("%s: recorded as %q and %q", s.method.ShortName(), gotA, gotB)
				}
				if ids := []string{a.Records.Last().UpstreamRequestID, b.Records.Last().UpstreamRequestID}; !s.method.Read && (ids[0] != ids[1] || ids[0] == "") {
					t.Errorf("%s: upstream ids %q", s.method.ShortName(), ids)
				}
				s.learn(t, w, first)
			}
			if writes < 60 {
				t.Errorf("only %d writes", writes)
			}
		})
	}
}

// TestKeyedWriteWhoseAnswerIsLost: the connection is cut after the sandbox did
// what it was asked. OUTCOME_UNKNOWN is said as often as is asked, by any
// replica, and nothing is done again.
func TestKeyedWriteWhoseAnswerIsLost(t *testing.T) {
	t.Parallel()
	methods, addr := catalogtest.Gateway(t), redistest.Start(t)
	fake, up := newTourSandbox(t)
	a, b := newKeyedGateway(t, up, gatewaytest.SealedOutcomes(t, gatewaytest.RedisOutcomes(t, addr))), newKeyedGateway(t, up, gatewaytest.SealedOutcomes(t, gatewaytest.RedisOutcomes(t, addr)))
	here, there := gatewaytest.As("root", a.Transport(doors[0])), gatewaytest.As("root", b.Transport(doors[2]))
	w := newTourValues(t)
	for _, s := range readTour(t, methods) {
		request := s.message(t, w)
		if s.method.Read || len(s.keep) > 0 { // The tour goes on with what is learned here.
			response := s.method.Response.New().Interface()
			if err := here.CallUnary(t.Context(), s.method.Spec(), request, response); err != nil {
				t.Fatalf("tour.txt:%d: %s: %v", s.line, s.method.ShortName(), err)
			}
			s.learn(t, w, response)
		}
		if s.method.Read {
			continue
		}
		op := s.method.Endpoint.String()
		before, atA, atB := fake.Count(op), len(a.Records.All()), len(b.Records.All())
		remove := fake.Inject(sandbox.Fault{Op: op, Kind: sandbox.Lost})
		var told []string
		for i, client := range []*connect.Client{here, there, here} {
			_, replayed, err := callKeyed(t.Context(), t, client, "tour.txt:"+fmt.Sprint(s.line), s.method, request)
			if connect.CodeOf(err) != connect.CodeUnknown || reason(t, err) != upstream.ReasonOutcomeUnknown || replayed != (i > 0) {
				t.Errorf("%s: call %d: %v, replayed: %t", s.method.ShortName(), i, err, replayed)
			}
			told = append(told, errorText(t, err))
		}
		remove()
		if told[0] != told[1] || told[0] != told[2] {
			t.Errorf("%s: errors %q", s.method.ShortName(), told)
		}
		if n := fake.Count(op) - before; n != 1 {
			t.Errorf("%s: asked %d times", s.method.ShortName(), n)
		}
		if gotA, gotB := audited(a.Records.All()[atA:]), audited(b.Records.All()[atB:]); gotA != "intent, unknown first, unknown replayed" || gotB != "unknown replayed" {
			t.Errorf("%s: recorded as %q and %q", s.method.ShortName(), gotA, gotB)
		}
	}
}

// errorText is all of an error that does not depend on the door.
func errorText(t *testing.T, err error) string {
	t.Helper()
	text := err.Error()
	for _, info := range details[*errdetails.ErrorInfo](t, err) {
		text += fmt.Sprint(" ", info.GetReason(), info.GetDomain(), info.GetMetadata())
	}
	return text
}

// TestKeyedSecrets: a created secret comes again to who created it and to nobody
// else, cannot be read in Redis, and is not created where it could be.
func TestKeyedSecrets(t *testing.T) {
	t.Parallel()
	methods, addr := catalogtest.Gateway(t), redistest.Start(t)
	fake, up := newTourSandbox(t)
	plain := newKeyedGateway(t, up, gatewaytest.RedisOutcomes(t, addr))
	sealed := newKeyedGateway(t, up, gatewaytest.SealedOutcomes(t, gatewaytest.RedisOutcomes(t, addr)))
	w, secrets := newTourValues(t), []string{sandbox.DefaultAdminKey, admissiontest.TokenOf("root"), "key-of-"}
	for _, s := range readTour(t, methods) {
		request, key := s.message(t, w), fmt.Sprint("key-of-", s.line)
		if !s.method.Secret {
			response, _, err := callKeyed(t.Context(), t, plain.Client("root"), key, s.method, request)
			if err != nil {
				t.Fatalf("%s: %v", s.method.ShortName(), err)
			}
			s.learn(t, w, response)
			continue
		}
		before := fake.Count(s.method.Endpoint.String())
		_, _, err := callKeyed(t.Context(), t, plain.Client("root"), key, s.method, request)
		if connect.CodeOf(err) != connect.CodeFailedPrecondition || reason(t, err) != rpcerror.ReasonIdempotencyNeedsEncryption || fake.Count(s.method.Endpoint.String()) != before {
			t.Errorf("%s without encryption: %v, asked %d times", s.method.ShortName(), err, fake.Count(s.method.Endpoint.String())-before)
		}
		first, _, err := callKeyed(t.Context(), t, sealed.Client("root"), key, s.method, request)
		if err != nil {
			t.Fatalf("%s: %v", s.method.ShortName(), err)
		}
		again, replayed, err := callKeyed(t.Context(), t, sealed.Client("root"), key, s.method, request)
		if err != nil || !replayed || !proto.Equal(first, again) {
			t.Errorf("%s again: %v, replayed: %t", s.method.ShortName(), err, replayed)
		}
		others, replayed, err := callKeyed(t.Context(), t, sealed.Client("boss"), key, s.method, request)
		if err == nil && (replayed || proto.Equal(first, others)) {
			t.Errorf("%s: another caller got %v, replayed: %t", s.method.ShortName(), others, replayed)
		}
		s.learn(t, w, first)
		text, err := protojson.Marshal(first)
		if err != nil {
			t.Fatal(err)
		}
		secrets = append(secrets, valuesOf(decodeJSON(t, text))...)
	}
	held, entries := everythingIn(t, addr)
	if entries < 60 || len(secrets) < 6 {
		t.Errorf("%d outcomes in Redis, %d secrets to look for", entries, len(secrets))
	}
	for _, secret := range secrets {
		if strings.Contains(held, secret) {
			t.Errorf("Redis holds %.8s…", secret)
		}
	}
	if log := fmt.Sprint(sealed.Records.All(), plain.Records.All()); slices.ContainsFunc(secrets, func(s string) bool { return strings.Contains(log, s) }) {
		t.Error("a record holds a secret, or a key")
	}
}
