package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/dial"
	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/output"
	controlv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/control/v1"
	"github.com/admin-gateway/admin-gateway/gen/admingateway/control/v1/controlv1connect"
	"github.com/admin-gateway/admin-gateway/service/audit"
	"github.com/admin-gateway/admin-gateway/service/recent"
)

// auditFindCommand asks the replicas of a gateway, or a file, for records.
type auditFindCommand struct {
	dial.Flags
	onceFlag
	Timeout time.Duration `default:"10s" help:"How long the call may take."`

	RequestID  string        `name:"request-id" placeholder:"ID" help:"The call with this id, which its caller has as X-Request-Id, and the calls that the gateway made in its course."`
	Caller     string        `placeholder:"NAME" help:"Calls of this caller, as the policy names it."`
	Method     string        `placeholder:"SERVICE/METHOD" help:"Calls of this RPC; the end of its name is enough."`
	Project    string        `placeholder:"ID" help:"Calls whose request names this project."`
	Code       string        `placeholder:"CODE" help:"Calls with this code, such as permission_denied."`
	Denied     bool          `help:"Calls that were not allowed, for whatever reason."`
	Failed     bool          `help:"Calls that were not answered, for whatever reason."`
	SlowerThan time.Duration `placeholder:"DURATION" help:"Calls that took so long or longer, such as 2s."`
	Since      moment        `placeholder:"WHEN" help:"Calls since then: 1h ago, or 2026-03-09T06:00:00Z."`
	Until      moment        `placeholder:"WHEN" help:"Calls before then."`
	Limit      int32         `default:"100" help:"How many are shown at the most, the newest: up to 1000."`

	Strangers bool          `help:"Calls without a valid credential: who cannot log in. Takes --since and --limit."`
	File      string        `type:"existingfile" placeholder:"PATH" help:"Read this audit log, and ask no gateway. It reaches further back than the memory of replicas."`
	Format    output.Format `aliases:"output" short:"o" enum:"table,json,yaml" default:"table" help:"table, json or yaml."`
}

// moment is a flag with a time, or how long ago that is.
type moment struct{ time.Time }

var errNoMoment = errors.New("not a time such as 2026-03-09T06:00:00Z, nor how long ago, such as 1h")

// UnmarshalText reads either.
func (m *moment) UnmarshalText(text []byte) error {
	if ago, err := time.ParseDuration(string(text)); err == nil && ago >= 0 {
		m.Time = time.Now().Add(-ago)
		return nil
	}
	at, err := time.Parse(time.RFC3339, string(text))
	if err != nil {
		return errNoMoment
	}
	m.Time = at
	return nil
}

// stamp is absent where there is no time.
func (m moment) stamp() *timestamppb.Timestamp {
	if m.IsZero() {
		return nil
	}
	return timestamppb.New(m.Time)
}

// errNothingFound makes the exit code 1.
var errNothingFound = errors.New("nothing was found")

var errStrangersInFile = errors.New("flag --strangers: a file has the record of each call; look for --code unauthenticated")

// Run prints what it finds, the newest first. What is not in the answer, it says on the
// error stream.
func (c *auditFindCommand) Run(ctx context.Context, std streams) error {
	if c.Limit < 1 || c.Limit > 1000 {
		return errors.New("flag --limit: it is from 1 to 1000")
	}
	printer := auditPrinter{out: std.out, notes: std.err, format: c.Format, whole: c.RequestID != ""}
	switch {
	case c.File != "" && c.Strangers:
		return errStrangersInFile
	case c.File != "":
		found, err := c.inFile()
		if err != nil {
			return err
		}
		return printer.records(found)
	}
	client, end, err := c.Client()
	if err != nil {
		return err
	}
	defer end()
	calling, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	service := controlv1connect.NewAuditServiceClient(client)
	if c.Strangers {
		found, err := service.ListStrangers(calling, &controlv1.ListStrangersRequest{Since: c.Since.stamp(), Limit: &c.Limit})
		if err != nil {
			return rpcError(ctx, err)
		}
		return printer.strangers(found)
	}
	request := &controlv1.ListRecordsRequest{
		RequestId: c.RequestID, Caller: c.Caller, Method: c.Method, Project: c.Project, Code: c.Code, Denied: c.Denied, Failed: c.Failed,
		Since: c.Since.stamp(), Until: c.Until.stamp(), Limit: &c.Limit,
	}
	if c.SlowerThan > 0 {
		request.SlowerThan = durationpb.New(c.SlowerThan)
	}
	found, err := service.ListRecords(calling, request)
	if err != nil {
		return rpcError(ctx, err)
	}
	return printer.records(found)
}

// inFile reads all of the file, and keeps the newest records that are wanted.
func (c *auditFindCommand) inFile() (*controlv1.ListRecordsResponse, error) {
	file, err := os.Open(c.File)
	if err != nil {
		return nil, fmt.Errorf("flag --file: %w", err)
	}
	defer func() { _ = file.Close() }() // It was read.
	filter := audit.Filter{
		RequestID: c.RequestID, Caller: c.Caller, Method: c.Method, Project: c.Project, Code: c.Code, Refused: c.Denied, Failed: c.Failed,
		Slowest: c.SlowerThan, Since: c.Since.Time, Until: c.Until.Time,
	}
	newest := recent.NewNewest(int(c.Limit))
	if err := audit.Read(file, func(r *audit.Record) bool {
		if filter.Matches(r) {
			newest.Add(r)
		}
		return true
	}); err != nil {
		return nil, fmt.Errorf("flag --file: %w", err)
	}
	records, more := newest.Records()
	found := &controlv1.ListRecordsResponse{More: more}
	for _, r := range records {
		found.Records = append(found.Records, recent.Message(r))
	}
	return found, nil
}
