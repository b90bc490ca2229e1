package service_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"connectrpc.com/connect/v2"

	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
	"github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1/adminv1connect"
	controlv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/control/v1"
	"github.com/admin-gateway/admin-gateway/internal/catalogtest"
	"github.com/admin-gateway/admin-gateway/internal/gatewaytest"
	"github.com/admin-gateway/admin-gateway/service"
	"github.com/admin-gateway/admin-gateway/service/audit"
	"github.com/admin-gateway/admin-gateway/service/record"
	"github.com/admin-gateway/admin-gateway/service/rpcerror"
	"github.com/admin-gateway/admin-gateway/upstream"
)

var errSinkFull = errors.New("no space left on device")

// newAuditedGateway is a gateway that requires its records, in front of an upstream
// that creates things.
func newAuditedGateway(t *testing.T, fail func(*audit.Record) error) (client *connect.Client, log *gatewaytest.Records, asked *atomic.Int32) {
	t.Helper()
	up := gatewaytest.LeastAnswers(t, `"id": "new_1", "value": "sk-`+secretWord+`"`)
	log = &gatewaytest.Records{Fail: fail}
	g := gatewaytest.New(t, gatewaytest.WithUpstream(up), gatewaytest.WithAudit(log), gatewaytest.WithRequiredAudit())
	return g.Client("root"), log, &g.Asked
}

// TestUnrecordedWritesAreNotMade: no write reaches the upstream when its record
// cannot be kept. Reads go on.
func TestUnrecordedWritesAreNotMade(t *testing.T) {
	t.Parallel()
	client, _, asked := newAuditedGateway(t, func(*audit.Record) error { return errSinkFull })
	for _, s := range readTour(t, catalogtest.Gateway(t)) {
		before := asked.Load()
		err := client.CallUnary(t.Context(), s.method.Spec(), s.message(t, validTourValues(t)), s.method.Response.New().Interface())
		made := asked.Load() - before
		switch {
		case s.method.Read && (err != nil || made != 1):
			t.Errorf("%s: %v, asked %d times", s.method.ShortName(), err, made)
		case !s.method.Read && (connect.CodeOf(err) != connect.CodeUnavailable || made != 0):
			t.Errorf("%s: %v, asked %d times", s.method.ShortName(), err, made)
		case !s.method.Read && reason(t, err) != rpcerror.ReasonAuditUnavailable:
			t.Errorf("%s: reason %s", s.method.ShortName(), reason(t, err))
		}
	}
}

// TestDoneAndNotRecorded: the error of a write that was made and not recorded says
// that it was made, and how to find it, and does not invite to repeat it.
func TestDoneAndNotRecorded(t *testing.T) {
	t.Parallel()
	client, log, asked := newAuditedGateway(t, func(r *audit.Record) error {
		if r.Event == audit.EventCall {
			return errSinkFull
		}
		return nil
	})
	for _, s := range readTour(t, catalogtest.Gateway(t)) {
		if s.method.Read {
			continue
		}
		before := asked.Load()
		err := client.CallUnary(t.Context(), s.method.Spec(), s.message(t, validTourValues(t)), s.method.Response.New().Interface())
		if connect.CodeOf(err) != connect.CodeUnknown || reason(t, err) != rpcerror.ReasonWriteNotRecorded || asked.Load() != before+1 {
			t.Fatalf("%s: %v, asked %d times", s.method.ShortName(), err, asked.Load()-before)
		}
		done := details[*controlv1.WriteDone](t, err)
		if len(done) != 1 || done[0].GetReason() != controlv1.WriteDone_REASON_NOT_RECORDED || done[0].GetUpstreamRequestId() != "up_1" {
			t.Errorf("%s: detail %v", s.method.ShortName(), done)
		} else if s.method.Secret && done[0].GetId() != "new_1" {
			t.Errorf("%s: what was created is not named: %v", s.method.ShortName(), done)
		}
		if strings.Contains(everything(err), secretWord) {
			t.Errorf("%s: the error has the secret", s.method.ShortName())
		}
		kept := log.All()
		if intent := kept[len(kept)-1]; intent.Event != audit.EventIntent || intent.Decision != audit.DecisionAllowed || intent.Caller != "root" || intent.Code != "" {
			t.Errorf("%s: announced as %+v", s.method.ShortName(), intent)
		}
	}
}

// TestRecordedWrites: a write that is made has two records, before and after.
func TestRecordedWrites(t *testing.T) {
	t.Parallel()
	client, log, _ := newAuditedGateway(t, nil)
	for _, s := range readTour(t, catalogtest.Gateway(t)) {
		before := len(log.All())
		if err := client.CallUnary(t.Context(), s.method.Spec(), s.message(t, validTourValues(t)), s.method.Response.New().Interface()); err != nil {
			t.Fatalf("%s: %v", s.method.ShortName(), err)
		}
		var events []string
		for _, r := range log.All()[before:] {
			events = append(events, r.Event+" "+r.Code)
		}
		want := "intent , call ok"
		if s.method.Read {
			want = "call ok"
		}
		if got := strings.Join(events, ", "); got != want {
			t.Errorf("%s: records %q, want %q", s.method.ShortName(), got, want)
		}
	}
}

// TestBrokenSinks: a full disk and a pipe that nobody reads hold up no call, and
// stop writes where a record is required.
func TestBrokenSinks(t *testing.T) {
	t.Parallel()
	fifo := filepath.Join(t.TempDir(), "audit")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, path := range map[string]string{"full disk": "/dev/full", "pipe without a reader": fifo} {
		for _, required := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, required %t", name, required), func(t *testing.T) {
				t.Parallel()
				log, err := audit.Open(audit.Options{Path: path})
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = log.Close(context.Background()) }) // It has lost what it had.
				var asked atomic.Int32
				up := gatewaytest.UpstreamFunc(func(ctx context.Context) (*upstream.Reply, error) {
					asked.Add(1)
					return gatewaytest.AnswerProject(ctx)
				})
				gateway := gatewaytest.New(t, gatewaytest.WithUpstream(up), gatewaytest.WithAudit(log), gatewaytest.WithOptions(func(o *service.Options) {
					if required {
						o.AuditRequired = record.RequireWrites
					}
				}))
				projects := adminv1connect.NewProjectServiceClient(gateway.Client("root"))
				if _, err := projects.GetProject(t.Context(), &adminv1.GetProjectRequest{ProjectId: "proj_1"}); err != nil {
					t.Errorf("a read: %v", err)
				}
				_, err = projects.CreateProject(t.Context(), &adminv1.CreateProjectRequest{Name: "new"})
				if !required && err != nil || required && connect.CodeOf(err) != connect.CodeUnavailable {
					t.Errorf("a write: %v", err)
				}
				want := int32(2)
				if required {
					want = 1
				}
				if n := asked.Load(); n != want {
					t.Errorf("the upstream was asked %d times, want %d", n, want)
				}
			})
		}
	}
}
