package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"net"
	"strings"
	"sync"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
)

// Answer is one of the server "script". It is a page of projects for ListProjects, and a
// project for every other method, unless it is an error or nothing.
type Answer struct {
	// Error is one as the gateway gives it.
	Error *ScriptedError `json:"error"`
	// Silent says that no answer comes, until the call ends.
	Silent bool `json:"silent"`
	// Name is that of the project.
	Name string `json:"name"`
	// Tomorrow adds fields and values that no schema of today has.
	Tomorrow bool `json:"tomorrow"`
	// Kilobytes is the size of a page, and Header that of a header and of a trailer.
	Kilobytes int `json:"kilobytes"`
	Header    int `json:"header_kilobytes"`
	// Headers are sent with the answer.
	Headers map[string]string `json:"headers"`
}

// ScriptedError is a status with the gateway's details.
type ScriptedError struct {
	Code       string            `json:"code"`
	Reason     string            `json:"reason"`
	RetryDelay float64           `json:"retry_delay"` // seconds; 0 for none
	Metadata   map[string]string `json:"metadata"`
}

// arrived is a call as the server saw it.
type arrived struct {
	at        time.Time
	metadata  metadata.MD
	remaining time.Duration // until its deadline; 0 for none
}

// scripted is a gRPC server behind TLS that answers every method.
type scripted struct {
	address string
	server  *grpc.Server

	mu     sync.Mutex
	script []Answer
	seen   []arrived
	ended  int           // calls that their client ended
	change chan struct{} // closed with every change of seen or ended
}

// newScripted starts the server.
func newScripted(ctx context.Context, certificate, key string) (*scripted, error) {
	pair, err := tls.LoadX509KeyPair(certificate, key)
	if err != nil {
		return nil, err
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &scripted{address: listener.Addr().String(), change: make(chan struct{})}
	s.server = grpc.NewServer(
		grpc.Creds(credentials.NewTLS(&tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12})),
		grpc.UnknownServiceHandler(s.serve), grpc.ForceServerCodecV2(rawCodec{}), grpc.MaxSendMsgSize(256<<20),
		grpc.MaxHeaderListSize(1<<20),
	)
	go func() { _ = s.server.Serve(listener) }() // Ends with close.
	return s, nil
}

func (s *scripted) close() { s.server.Stop() }

// play begins a case: what was seen is forgotten.
func (s *scripted) play(script []Answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.script, s.seen, s.ended = script, nil, 0
}

// until waits for a condition on what was seen.
func (s *scripted) until(ctx context.Context, condition func(seen []arrived, ended int) bool) error {
	limit := time.After(patience)
	for {
		s.mu.Lock()
		met, change := condition(s.seen, s.ended), s.change
		s.mu.Unlock()
		if met {
			return nil
		}
		select {
		case <-change:
		case <-limit:
			return errors.New("the server did not see it")
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (s *scripted) changed() {
	close(s.change)
	s.change = make(chan struct{})
}

// next notes a call, and returns its answer.
func (s *scripted) next(ctx context.Context) (Answer, error) {
	call := arrived{at: time.Now()}
	call.metadata, _ = metadata.FromIncomingContext(ctx)
	if deadline, ok := ctx.Deadline(); ok {
		call.remaining = time.Until(deadline)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.changed()
	s.seen = append(s.seen, call)
	if len(s.script) == 0 {
		return Answer{}, status.Error(codes.FailedPrecondition, "the case has no script")
	}
	return s.script[min(len(s.seen), len(s.script))-1], nil
}

func (s *scripted) serve(_ any, stream grpc.ServerStream) error {
	method, _ := grpc.MethodFromServerStream(stream)
	var request raw
	if err := stream.RecvMsg(&request); err != nil {
		return err
	}
	answer, err := s.next(stream.Context())
	if err != nil {
		return err
	}
	if answer.Silent {
		<-stream.Context().Done()
		s.mu.Lock()
		defer s.mu.Unlock()
		s.ended++
		s.changed()
		return status.FromContextError(stream.Context().Err()).Err()
	}
	header := metadata.New(maps.Clone(answer.Headers))
	if answer.Header > 0 {
		filler := strings.Repeat("h", answer.Header<<10)
		header.Set("x-filler", filler)
		stream.SetTrailer(metadata.Pairs("x-filler-too", filler))
	}
	header.Set("x-request-id", "req_SCRIPT")
	if err := stream.SendHeader(header); err != nil {
		return err
	}
	if answer.Error != nil {
		return answer.Error.status()
	}
	message, err := answer.message(method)
	if err != nil {
		return err
	}
	return stream.SendMsg(&message)
}

func (e *ScriptedError) status() error {
	var code codes.Code
	if err := code.UnmarshalJSON([]byte(`"` + e.Code + `"`)); err != nil {
		return err
	}
	info := &errdetails.ErrorInfo{Domain: "admin-gateway", Reason: e.Reason, Metadata: e.Metadata}
	answer, err := status.New(code, "a scripted error").WithDetails(info)
	if err == nil && e.RetryDelay > 0 {
		delay := durationpb.New(time.Duration(e.RetryDelay * float64(time.Second)))
		answer, err = answer.WithDetails(&errdetails.RetryInfo{RetryDelay: delay})
	}
	return errors.Join(answer.Err(), err)
}

func (a *Answer) message(method string) (raw, error) {
	project := &adminv1.Project{Id: "proj_script", Object: "organization.project", Name: &a.Name}
	var message proto.Message
	field := protowire.Number(9_000)
	switch method[strings.LastIndexByte(method, '/')+1:] {
	case "ListProjects":
		page := &adminv1.ListProjectsResponse{Object: "list", Data: []*adminv1.Project{project}}
		for i := range a.Kilobytes {
			name := fmt.Sprintf("%d ", i) + strings.Repeat("n", 1<<10)
			page.Data = append(page.Data, &adminv1.Project{Id: fmt.Sprintf("proj_%d", i), Name: &name})
		}
		message = page
	case "CreateProject":
		message = &adminv1.CreateProjectResponse{Project: project}
	case "GetProject":
		message = &adminv1.GetProjectResponse{Project: project}
	case "ListInvites":
		invite := &adminv1.Invite{Id: "invite-script", Role: adminv1.InviteRole_INVITE_ROLE_OWNER}
		if a.Tomorrow {
			invite.Role = 77
		}
		message = &adminv1.ListInvitesResponse{Object: "list", Data: []*adminv1.Invite{invite}}
	default:
		return nil, status.Errorf(codes.Unimplemented, "the script answers no %s", method)
	}
	data, err := proto.Marshal(message)
	if err != nil || !a.Tomorrow {
		return data, err
	}
	data = protowire.AppendTag(data, field, protowire.BytesType)
	data = protowire.AppendString(data, "a field of tomorrow")
	data = protowire.AppendTag(data, field+1, protowire.VarintType)
	return protowire.AppendVarint(data, 77), nil
}

// raw is a message as it is on the wire.
type raw []byte

// rawCodec leaves messages as they are.
type rawCodec struct{}

var _ encoding.CodecV2 = rawCodec{}

// Name implements encoding.CodecV2.
func (rawCodec) Name() string { return "proto" }

// Marshal implements encoding.CodecV2.
func (rawCodec) Marshal(v any) (mem.BufferSlice, error) {
	message, ok := v.(*raw)
	if !ok {
		return nil, fmt.Errorf("a %T", v)
	}
	return mem.BufferSlice{mem.SliceBuffer(*message)}, nil
}

// Unmarshal implements encoding.CodecV2.
func (rawCodec) Unmarshal(data mem.BufferSlice, v any) error {
	message, ok := v.(*raw)
	if !ok {
		return fmt.Errorf("a %T", v)
	}
	*message = data.Materialize() //nolint:misspell // grpc-go spells it so.
	return nil
}
