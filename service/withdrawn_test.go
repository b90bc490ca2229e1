package service_test

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"connectrpc.com/connect/v2"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
	"github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1/adminv1connect"
	inventoryv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/inventory/v1"
	"github.com/admin-gateway/admin-gateway/gen/admingateway/inventory/v1/inventoryv1connect"
	"github.com/admin-gateway/admin-gateway/internal/admissiontest"
	"github.com/admin-gateway/admin-gateway/internal/gatewaytest"
	"github.com/admin-gateway/admin-gateway/upstream"
	"github.com/admin-gateway/admin-gateway/upstream/pace"
)

// twoTokens has a caller with two tokens, those of "old" and of "new".
const twoTokens = `
callers:
  - name: root
    authenticate: [{token_sha256: $old}, {token_sha256: $new}]
    grants: [{permissions: ["*"]}]
    limits: $free
`

// withdrawals are policies that take the token of "old" away, and the caller keeps all
// else in some of them.
var withdrawals = map[string]string{
	"the token is taken out":  strings.Replace(twoTokens, "{token_sha256: $old}, ", "", 1),
	"the token is replaced":   strings.Replace(twoTokens, "$old", "$newer", 1),
	"the caller is taken out": strings.ReplaceAll(strings.Replace(twoTokens, "{token_sha256: $old}, ", "", 1), "name: root", "name: other"),
	"the token is another's": strings.ReplaceAll(strings.Replace(twoTokens, "{token_sha256: $old}, ", "", 1), "$free", "$free\n"+
		"  - {name: other, authenticate: [{token_sha256: $old}], grants: [{permissions: ['*']}], limits: $free}"),
	"the token has expired": strings.Replace(twoTokens, "$old", "$old, expires: 2020-01-01T00:00:00Z", 1),
}

// silence is an upstream that lists projects, and otherwise says when it was asked and
// does not answer.
type silence struct {
	manyProjects
	asked chan struct{}
}

func newSilence() silence { return silence{newManyProjects(), make(chan struct{}, 100)} }

func (s silence) Do(ctx context.Context, endpoint *upstream.Endpoint, request *upstream.Request) (*upstream.Reply, error) {
	if endpoint.String() != listKeys {
		return s.manyProjects.Do(ctx, endpoint, request)
	}
	select {
	case s.asked <- struct{}{}:
	default: // It has been said often enough.
	}
	<-ctx.Done()
	return nil, ctx.Err()
}

// await waits until the upstream has been asked.
func (s silence) await(t *testing.T) {
	t.Helper()
	select {
	case <-s.asked:
	case <-time.After(patience):
		t.Fatal("the upstream is not asked")
	}
}

// patience is when a client hangs up whose stream should have ended long before.
const patience = time.Minute

// keys begins an inventory of keys. It has no deadline that the gateway would know of.
func keys(t *testing.T, caller string, door connect.Transport) inventoryv1connect.InventoryServiceListApiKeysClientStream {
	t.Helper()
	ctx, hangUp := context.WithCancel(t.Context())
	timer := time.AfterFunc(patience, hangUp)
	t.Cleanup(func() {
		timer.Stop()
		hangUp()
	})
	stream, err := inventoryv1connect.NewInventoryServiceClient(gatewaytest.As(caller, door)).ListApiKeys(ctx, &inventoryv1.ListApiKeysRequest{})
	if err != nil {
		t.Fatal(err)
	}
	return stream
}

// untilItEnds reads a stream to its end, and returns the error; nil for a message that
// ends it.
func untilItEnds(stream interface {
	Receive() (*inventoryv1.ListApiKeysResponse, error)
}) error {
	for {
		message, err := stream.Receive()
		if err != nil || message.GetEnd() != nil {
			return err
		}
	}
}

// wantUnauthenticated wants the one error of a caller without a credential.
func wantUnauthenticated(t *testing.T, when string, err error) {
	t.Helper()
	if connect.CodeOf(err) != connect.CodeUnauthenticated || !strings.Contains(err.Error(), "no valid credential came with the call") {
		t.Errorf("%s: ended with %v", when, err)
	}
}

// TestStreamsEndWithTheirCredential: a stream whose token is taken away ends at once, at
// every door, though its caller has another one. A stream with that one goes on.
func TestStreamsEndWithTheirCredential(t *testing.T) {
	t.Parallel()
	for how, policy := range withdrawals {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			up := newSilence()
			gateway := gatewaytest.New(t, gatewaytest.WithUpstream(up), gatewaytest.WithPolicy(twoTokens))
			for name, door := range gateway.PlainDoors() {
				if how != "the token is taken out" && name != "in process" {
					continue // All doors lead to one pipeline.
				}
				gateway.Policy.Set(t, twoTokens)
				stream := keys(t, "old", door)
				ended := make(chan error, 1)
				go func() { ended <- untilItEnds(stream) }()
				select {
				case <-up.asked:
				case err := <-ended:
					t.Fatalf("%s: ended with %v before the upstream was asked", name, err)
				}
				gateway.Policy.Set(t, twoTokens+"\n") // Another policy that has the token too.
				gateway.Policy.Set(t, policy)
				wantUnauthenticated(t, name, <-ended)
				_ = stream.Close()
			}
		})
	}
}

// TestOtherCredentialsKeepTheirStreams: a policy that is replaced ends no stream of a
// token that it has, and the stream is whole.
func TestOtherCredentialsKeepTheirStreams(t *testing.T) {
	t.Parallel()
	gateway := gatewaytest.New(t, gatewaytest.WithUpstream(newManyProjects()), gatewaytest.WithPolicy(twoTokens))
	stream := keys(t, "new", gateway.PlainDoors()["gRPC"])
	for range 3 {
		if _, err := stream.Receive(); err != nil {
			t.Fatal(err)
		}
		for _, policy := range withdrawals {
			if strings.Contains(policy, "name: root") {
				gateway.Policy.Set(t, policy)
			}
		}
	}
	if err := untilItEnds(stream); err != nil {
		t.Errorf("a stream with the other token: %v", err)
	}
}

// scarce is a budget of one call in half a minute, which is less than a call may wait.
var scarce = pace.Options{Window: 30 * time.Second, Organization: pace.Limit{Calls: 1, Burst: 1}, Default: pace.Limit{Calls: 1, Burst: 1}}

// awaitQueued waits until a call waits for the budget.
func awaitQueued(t *testing.T, pacer *pace.Pacer) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; {
		for _, state := range pacer.Snapshot(t.Context()) {
			if q := state.Queued; q.Revocation+q.Interactive+q.FanOut > 0 {
				return
			}
		}
		if time.Now().After(deadline) {
			t.Fatal("no call waits")
		}
		<-time.After(time.Millisecond)
	}
}

// TestWaitsEndWithTheCredential: a call that waits for the upstream's budget when its
// token is taken away ends, and nothing is sent for it: a stream, a read, a write.
func TestWaitsEndWithTheCredential(t *testing.T) {
	t.Parallel()
	for name, call := range map[string]func(*connect.Client) error{
		"stream": func(client *connect.Client) error {
			stream, err := inventoryv1connect.NewInventoryServiceClient(client).ListApiKeys(t.Context(), &inventoryv1.ListApiKeysRequest{ProjectIds: []string{"1"}})
			if err != nil {
				return err
			}
			return untilItEnds(stream)
		},
		"read": func(client *connect.Client) error {
			_, err := adminv1connect.NewProjectServiceClient(client).GetProject(t.Context(), &adminv1.GetProjectRequest{ProjectId: "1"})
			return err
		},
		"write": func(client *connect.Client) error {
			_, err := adminv1connect.NewProjectServiceClient(client).CreateProject(t.Context(), &adminv1.CreateProjectRequest{Name: "one"})
			return err
		},
	} {
		for _, cached := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, cached %t", name, cached), func(t *testing.T) {
				t.Parallel()
				with := []gatewaytest.Option{gatewaytest.WithPacing(scarce), gatewaytest.WithPolicy(twoTokens), gatewaytest.WithUpstream(gatewaytest.UpstreamFunc(gatewaytest.AnswerProject))}
				if cached {
					with = append(with, gatewaytest.WithMemoryCache())
				}
				gateway := gatewaytest.New(t, with...)
				if _, err := adminv1connect.NewProjectServiceClient(gateway.Client("new")).GetProject(t.Context(), &adminv1.GetProjectRequest{ProjectId: "spent"}); err != nil {
					t.Fatal(err)
				}
				ended := make(chan error, 1)
				go func() { ended <- call(gateway.Client("old")) }()
				awaitQueued(t, gateway.Pacer)
				gateway.Policy.Set(t, withdrawals["the token is replaced"])
				wantUnauthenticated(t, name, <-ended)
				if asked := gateway.Asked.Load(); asked != 1 {
					t.Errorf("the upstream was asked %d times", asked)
				}
			})
		}
	}
}

// TestAWriteThatWasSentIsAnswered: what became of a write is said to its caller, though
// its token was taken away while the upstream was making it.
func TestAWriteThatWasSentIsAnswered(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		arrived, release := make(chan struct{}), make(chan struct{})
		gateway := gatewaytest.New(t, gatewaytest.WithPolicy(twoTokens), gatewaytest.WithUpstream(gatewaytest.UpstreamFunc(func(ctx context.Context) (*upstream.Reply, error) {
			close(arrived)
			select {
			case <-release:
				return gatewaytest.AnswerProject(ctx)
			case <-ctx.Done():
				return nil, &upstream.Error{Kind: upstream.OutcomeUnknown}
			}
		})))
		ended := make(chan error, 1)
		go func() {
			_, err := adminv1connect.NewProjectServiceClient(gateway.Client("old")).CreateProject(t.Context(), &adminv1.CreateProjectRequest{Name: "one"})
			ended <- err
		}()
		<-arrived
		gateway.Policy.Set(t, withdrawals["the token is taken out"])
		synctest.Wait() // The credential is known to be gone.
		close(release)
		if err := <-ended; err != nil {
			t.Errorf("the write was made, and its caller is told %v", err)
		}
	})
}

// TestStreamsEndWhenTheirCredentialExpires, at the instant, without a change of policy.
func TestStreamsEndWhenTheirCredentialExpires(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		up := newSilence()
		const life = patience / 2
		end := time.Now().Add(life).UTC().Format(time.RFC3339)
		gateway := gatewaytest.New(t, gatewaytest.WithUpstream(up), gatewaytest.WithPolicy(strings.Replace(twoTokens, "$old", "$old, expires: "+end, 1)))
		began := time.Now()
		wantUnauthenticated(t, "expired", untilItEnds(keys(t, "old", gateway.InProcess())))
		if took := time.Since(began); took != life {
			t.Errorf("it ended after %s", took)
		}
	})
}

// TestARecordSaysHowAStreamEnded: with the code of a caller without a credential, and the
// caller that it was.
func TestARecordSaysHowAStreamEnded(t *testing.T) {
	t.Parallel()
	up := newSilence()
	gateway := gatewaytest.New(t, gatewaytest.WithUpstream(up), gatewaytest.WithPolicy(twoTokens), gatewaytest.WithTelemetry())
	stream := keys(t, "old", gateway.InProcess())
	up.await(t)
	before := len(gateway.Records.Calls())
	gateway.Policy.Set(t, withdrawals["the token is taken out"])
	wantUnauthenticated(t, "in process", untilItEnds(stream))
	awaitRecord(t, gateway.Records, before)
	record := gateway.Records.Calls()[before]
	if record.Caller != "root" || record.Code != "unauthenticated" {
		t.Errorf("%+v", record)
	}
	families, err := gateway.Metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() == "gateway_unauthenticated_total" && (len(family.GetMetric()) != 1 || family.GetMetric()[0].GetLabel()[0].GetValue() != "withdrawn") {
			t.Errorf("it is counted as %v", family)
		}
	}
}

// TestStreamsThatNobodyReadsEndToo: a client that does not read cannot keep its stream
// past its credential, at any door.
func TestStreamsThatNobodyReadsEndToo(t *testing.T) {
	t.Parallel()
	gateway := gatewaytest.New(t, gatewaytest.WithUpstream(noise{newManyProjects()}), gatewaytest.WithPolicy(twoTokens))
	withdrawn := func(name string) {
		t.Helper()
		awaitStandstill(t, &gateway.Asked)
		before := len(gateway.Records.Calls())
		gateway.Policy.Set(t, withdrawals["the token is taken out"])
		awaitRecord(t, gateway.Records, before)
		if code := gateway.Records.Calls()[before].Code; code != "unauthenticated" {
			t.Errorf("%s: ended with %s", name, code)
		}
		gateway.Policy.Set(t, twoTokens)
	}
	for _, name := range []string{"gRPC", "Connect"} {
		stream := keys(t, "old", gateway.PlainDoors()[name])
		withdrawn(name)
		_ = stream.Close()
	}
	ctx, cancel := context.WithCancel(metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+admissiontest.TokenOf("old")))
	defer cancel()
	stream, err := gateway.FastGRPC().Conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, "/admingateway.inventory.v1.InventoryService/ListApiKeys")
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(stream.SendMsg(&inventoryv1.ListApiKeysRequest{}), stream.CloseSend()); err != nil {
		t.Fatal(err)
	}
	withdrawn("gRPC, fast")
}

// noise is an upstream whose pages do not get smaller when they are compressed.
type noise struct{ manyProjects }

func (n noise) Do(ctx context.Context, endpoint *upstream.Endpoint, request *upstream.Request) (*upstream.Reply, error) {
	reply, err := n.manyProjects.Do(ctx, endpoint, request)
	if err != nil || endpoint.String() != listKeys {
		return reply, err
	}
	random := make([]byte, 200)
	return &upstream.Reply{Status: reply.Status, Body: regexp.MustCompile("a key with a name").ReplaceAllFunc(reply.Body, func([]byte) []byte {
		_, _ = rand.Read(random)
		return []byte(hex.EncodeToString(random))
	})}, nil
}

// awaitStandstill waits until something has begun to be counted, and nothing more is.
func awaitStandstill(t *testing.T, counted *atomic.Int32) {
	t.Helper()
	const still = 300 // times the interval
	before := int32(0)
	for same := 0; same < still; same++ {
		if now := counted.Load(); now == 0 || now != before {
			before, same = now, 0
		}
		<-time.After(time.Millisecond)
	}
}

// TestADeleteIsNotSentAgainWithoutItsCredential: it was refused for the budget, which made
// nothing, and waits to be sent again.
func TestADeleteIsNotSentAgainWithoutItsCredential(t *testing.T) {
	t.Parallel()
	gateway := gatewaytest.New(t, gatewaytest.WithPacing(scarce), gatewaytest.WithPolicy(twoTokens), gatewaytest.WithUpstream(gatewaytest.UpstreamFunc(func(context.Context) (*upstream.Reply, error) {
		return nil, &upstream.Error{Kind: upstream.RateLimited, Reason: upstream.ReasonRateLimited, Status: http.StatusTooManyRequests, RetryAfter: time.Minute}
	})))
	ended := make(chan error, 1)
	go func() {
		_, err := adminv1connect.NewProjectUserServiceClient(gateway.Client("old")).DeleteProjectUser(t.Context(), &adminv1.DeleteProjectUserRequest{ProjectId: "1", UserId: "user"})
		ended <- err
	}()
	awaitQueued(t, gateway.Pacer)
	gateway.Policy.Set(t, withdrawals["the token is taken out"])
	wantUnauthenticated(t, "a delete", <-ended)
	if asked := gateway.Asked.Load(); asked != 1 {
		t.Errorf("the upstream was asked %d times", asked)
	}
}
