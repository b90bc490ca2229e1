//go:build unix

package histories

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connecthttp"

	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
	"github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1/adminv1connect"
	"github.com/admin-gateway/admin-gateway/internal/processtest"
)

// projects returns a client of the replica, and a context for one call.
func (r *Replica) projects(ctx context.Context, key string) (context.Context, *connect.CallInfo, adminv1connect.ProjectServiceClient) {
	url, client := r.At()
	ctx, info := connect.NewClientContext(ctx)
	info.RequestHeader().Set("Authorization", "Bearer "+r.token)
	if key != "" {
		info.RequestHeader().Set("Idempotency-Key", key)
	}
	return ctx, info, adminv1connect.NewProjectServiceClient(connect.NewClient(connecthttp.NewTransport(client, url)))
}

// Get reads a register through a replica, and records it. The note is the answer's
// Cache-Status.
func (c *Cluster) Get(ctx context.Context, r *Replica, register string) (value, note string, err error) {
	ctx, info, client := r.projects(ctx, "")
	o := Operation{Register: register, Method: "GetProject", Replica: r.Name(), Call: c.Clock.Now()}
	answer, err := client.GetProject(ctx, &adminv1.GetProjectRequest{ProjectId: register})
	o.Return = c.Clock.Now()
	if err != nil {
		return "", "", err
	}
	o.Value, o.Note = answer.GetProject().GetName(), info.ResponseHeader().Get("Cache-Status")
	c.record(o)
	return o.Value, o.Note, nil
}

// List reads all registers through a replica in one call, and records a read of each.
func (c *Cluster) List(ctx context.Context, r *Replica) error {
	ctx, info, client := r.projects(ctx, "")
	o := Operation{Method: "ListProjects", Replica: r.Name(), Call: c.Clock.Now()}
	answer, err := client.ListProjects(ctx, &adminv1.ListProjectsRequest{Limit: new(int32(100))})
	o.Return = c.Clock.Now()
	if err != nil {
		return err
	}
	o.Note = info.ResponseHeader().Get("Cache-Status")
	for _, project := range answer.GetData() {
		o.Register, o.Value = project.GetId(), project.GetName()
		c.record(o)
	}
	return nil
}

// record records a read, unless the answer says itself that it may be old.
func (c *Cluster) record(o Operation) {
	if !strings.Contains(o.Note, "isolated") {
		c.History.Add(o)
	}
}

// Write writes a register through a replica, and records it. The value must be a new
// one.
func (c *Cluster) Write(ctx context.Context, r *Replica, register, value string) Outcome {
	return c.WriteAgain(ctx, register, value, "", r)
}

// WriteAgain writes a register with an idempotency key through one replica after the
// other, as long as the outcome is unknown. All of it is one write.
func (c *Cluster) WriteAgain(ctx context.Context, register, value, key string, replicas ...*Replica) Outcome {
	o := Operation{Register: register, Write: true, Value: value, Method: "UpdateProject", Call: c.Clock.Now()}
	if len(replicas) == 1 {
		o.Replica = replicas[0].Name()
	}
	for i, r := range replicas {
		o.Outcome, o.Note = r.update(ctx, register, value, key)
		if i > 0 && o.Outcome == Refused {
			o.Outcome = Unknown // The attempt before it may have been made.
		}
		if o.Outcome != Unknown {
			break
		}
	}
	o.Return = c.Clock.Now()
	c.History.Add(o)
	return o.Outcome
}

// callLimit bounds a write's attempt, and other calls of scenarios.
const callLimit = 10 * time.Second

func (r *Replica) update(ctx context.Context, register, value, key string) (Outcome, string) {
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	ctx, _, client := r.projects(ctx, key)
	_, err := client.UpdateProject(ctx, &adminv1.UpdateProjectRequest{ProjectId: register, Name: &value})
	if err == nil {
		return Done, ""
	}
	// docs/errors.md: these codes say that the write was not made, if it is the
	// gateway that answers.
	failure, ok := errors.AsType[*connect.Error](err)
	if ok && failure.IsRemote() {
		switch failure.Code() { //nolint:exhaustive // All others say nothing about the write.
		case connect.CodeUnavailable, connect.CodeResourceExhausted, connect.CodeInvalidArgument, connect.CodeFailedPrecondition:
			return Refused, err.Error()
		}
	}
	return Unknown, err.Error()
}

// CallError is the error that a replica answered.
type CallError struct {
	Code string // of Connect, such as resource_exhausted
	Text string
}

// Error implements error.
func (e *CallError) Error() string { return e.Code + ": " + e.Text }

// Invoke calls any unary method by its name, such as
// admingateway.admin.v1.UserService/ListUsers, with the JSON of its request. The
// error of an answer is a [*CallError].
func (r *Replica) Invoke(ctx context.Context, limit time.Duration, method string, request any) error {
	ctx, cancel := context.WithTimeout(ctx, limit+time.Second) // The gateway's own answer comes before it.
	defer cancel()
	body, err := json.Marshal(request)
	if err != nil {
		return err
	}
	url, client := r.At()
	call, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/"+method, bytes.NewReader(body))
	if err != nil {
		return err
	}
	call.Header.Set("Authorization", "Bearer "+r.token)
	call.Header.Set("Content-Type", "application/json")
	call.Header.Set("Connect-Protocol-Version", "1")
	call.Header.Set("Connect-Timeout-Ms", strconv.FormatInt(limit.Milliseconds(), 10))
	answer, err := client.Do(call)
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(answer.Body, 1<<20))
	if err != nil || answer.StatusCode == http.StatusOK {
		return err
	}
	var failure struct{ Code, Message string }
	if err := json.Unmarshal(text, &failure); err != nil {
		return fmt.Errorf("%s: %s: %w", method, answer.Status, err)
	}
	return &CallError{Code: failure.Code, Text: failure.Message}
}

// SeesRedis waits until the replica can read from Redis, by the answer of its own
// CacheService.
func (c *Cluster) SeesRedis(ctx context.Context, r *Replica) error {
	return processtest.Until(ctx, processtest.Patience, func(ctx context.Context) error {
		return r.Invoke(ctx, time.Second, "admingateway.control.v1.CacheService/GetEntry",
			map[string]any{"method": "admingateway.admin.v1.CostService/ListCosts", "request": map[string]any{"start_time": "2026-01-01T00:00:00Z"}})
	})
}
