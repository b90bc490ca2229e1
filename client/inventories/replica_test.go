package inventories_test

import (
	"context"
	"io"
	"testing"
	"time"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connectproto"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/types/known/durationpb"

	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
	inventoryv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/inventory/v1"
)

type (
	request  = inventoryv1.ListApiKeysRequest
	response = inventoryv1.ListApiKeysResponse
)

// replica is a gateway whose streams a test writes. It has the calls, and what to answer
// each with; the last goes for all that follow.
type replica struct {
	scripts []script
	asked   []*request
	open    int // streams that were not closed
}

// script is a stream.
type script struct {
	refused  error // of the call
	messages []*response
	err      error // behind them; nil: the stream ends
	hangs    bool  // behind them, until it is given up
}

func (r *replica) list(ctx context.Context, req *request) (*stream, error) {
	s := r.scripts[min(len(r.asked), len(r.scripts)-1)]
	r.asked = append(r.asked, req)
	if s.refused != nil {
		return nil, s.refused
	}
	r.open++
	return &stream{ctx, r, s}, nil
}

// tokens are those that the streams were asked for.
func (r *replica) tokens() (tokens []string) {
	for _, req := range r.asked {
		tokens = append(tokens, req.GetResumeToken())
	}
	return tokens
}

type stream struct {
	ctx     context.Context //nolint:containedctx // It is that of the call.
	replica *replica
	script  script
}

func (s *stream) Receive() (*response, error) {
	if err := s.ctx.Err(); err != nil {
		return nil, connect.NewError(connect.CodeCanceled, err.Error())
	}
	if len(s.script.messages) > 0 {
		message := s.script.messages[0]
		s.script.messages = s.script.messages[1:]
		return message, nil
	}
	if s.script.hangs {
		<-s.ctx.Done()
		return nil, connect.NewError(connect.CodeCanceled, s.ctx.Err().Error())
	}
	if s.script.err != nil {
		return nil, s.script.err
	}
	return nil, io.EOF
}

func (s *stream) Close() error {
	s.replica.open--
	return nil
}

func page(project string) *response {
	return &response{Event: &inventoryv1.ListApiKeysResponse_Keys_{Keys: &inventoryv1.ListApiKeysResponse_Keys{ProjectId: project, Items: []*adminv1.ProjectApiKey{{Id: "key_" + project}}}}}
}

func progress(token string) *response {
	return &response{Event: &inventoryv1.ListApiKeysResponse_Progress{Progress: &inventoryv1.Progress{ResumeToken: token}}}
}

func failure(code connect.Code, reason string, delay time.Duration) *response {
	return &response{Event: &inventoryv1.ListApiKeysResponse_Failure{Failure: &inventoryv1.Failure{Method: "S/M", Code: int32(code), Reason: reason, RetryDelay: durationpb.New(delay)}}}
}

func whole() *response {
	return &response{Event: &inventoryv1.ListApiKeysResponse_End{End: &inventoryv1.End{Outcome: &inventoryv1.End_Complete{Complete: &inventoryv1.Complete{}}}}}
}

func part(token string, reasons ...inventoryv1.Incomplete_Reason) *response {
	return &response{Event: &inventoryv1.ListApiKeysResponse_End{End: &inventoryv1.End{Outcome: &inventoryv1.End_Incomplete{Incomplete: &inventoryv1.Incomplete{ResumeToken: token, Reasons: reasons}}}}}
}

// remote is an error of the gateway's, which asks to wait.
func remote(t *testing.T, code connect.Code, wait time.Duration) error {
	t.Helper()
	err := connect.NewError(code, "no").WithRemote()
	if wait == 0 {
		return err
	}
	detail, detailErr := connectproto.NewErrorDetail(&errdetails.RetryInfo{RetryDelay: durationpb.New(wait)})
	if detailErr != nil {
		t.Fatal(detailErr)
	}
	return err.WithDetail(detail)
}

func cut() error { return connect.NewError(connect.CodeInternal, "unexpected EOF") }

func (r *replica) add(m *response) {
	if len(r.scripts) == 0 {
		r.scripts = []script{{}}
	}
	r.scripts[0].messages = append(r.scripts[0].messages, m)
}

func (r *replica) collected() []*response {
	if len(r.scripts) == 0 {
		return nil
	}
	return r.scripts[0].messages
}
