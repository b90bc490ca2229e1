package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/dial"
	controlv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/control/v1"
	"github.com/admin-gateway/admin-gateway/gen/admingateway/control/v1/controlv1connect"
)

// adminKeyCommand has what operators do with the admin key of a gateway.
type adminKeyCommand struct {
	Rotate adminKeyRotateCommand `cmd:"" help:"Replace the admin key by another one, in all replicas, and wait until the old one is deleted."`
	Status adminKeyStatusCommand `cmd:"" help:"Show the latest rotation, and what it waits for."`
}

// adminKeyFlags are the flags of both commands.
type adminKeyFlags struct {
	dial.Flags
	Timeout time.Duration `default:"30s" help:"How long one call may take."`
	Format  string        `enum:"table,json" default:"table" help:"table or json."`
}

type adminKeyRotateCommand struct {
	adminKeyFlags
	RequestID  string `help:"Names the rotation: the same name goes on with the same one. Drawn if not given."`
	AllowWider bool   `help:"Accept a new key that may read more than the old one."`
	KeyID      string `placeholder:"ID" help:"The admin key that the gateway uses, where several look like it."`
	NoWait     bool   `help:"Return when the rotation is written down."`
}

type adminKeyStatusCommand struct{ adminKeyFlags }

// lookEvery is between two looks at a rotation.
const lookEvery = 2 * time.Second

// errRotationFailed makes the exit code 1.
var errRotationFailed = errors.New("the rotation has failed, and the old key stays in use")

// Run begins a rotation, and follows it to its end.
func (c *adminKeyRotateCommand) Run(ctx context.Context, std streams) error {
	client, end, err := c.client()
	if err != nil {
		return err
	}
	defer end()
	if c.RequestID == "" {
		c.RequestID = rand.Text()
		if _, err := fmt.Fprintf(std.err, "request %s\n", c.RequestID); err != nil {
			return err
		}
	}
	calling, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	answer, err := client.RotateAdminKey(calling, &controlv1.RotateAdminKeyRequest{RequestId: c.RequestID, AllowWider: c.AllowWider, KeyId: c.KeyID})
	if err != nil {
		return rpcError(ctx, err)
	}
	rotation := answer.GetRotation()
	if !c.NoWait {
		if rotation, err = c.follow(ctx, client, std, rotation); err != nil {
			return err
		}
	}
	return errors.Join(c.print(std.out, rotation), failedRotation(rotation))
}

// follow says what becomes of a rotation until it has ended.
func (c *adminKeyRotateCommand) follow(ctx context.Context, client controlv1connect.AdminKeyServiceClient, std streams, rotation *controlv1.AdminKeyRotation) (*controlv1.AdminKeyRotation, error) {
	said := ""
	for {
		if says := progressOf(rotation); says != said {
			said = says
			if _, err := fmt.Fprintln(std.err, says); err != nil {
				return nil, err
			}
		}
		if rotation.GetEndedAt() != nil {
			return rotation, nil
		}
		timer := time.NewTimer(lookEvery)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil, ctx.Err()
		}
		now, err := c.look(ctx, client)
		switch {
		case err != nil && !streamPasses(err):
			return nil, rpcError(ctx, err)
		case err != nil: // The next look may reach a gateway that answers.
		case now.GetId() != rotation.GetId():
			return nil, errors.New("another rotation has begun")
		default:
			rotation = now
		}
	}
}

// Run shows the latest rotation.
func (c *adminKeyStatusCommand) Run(ctx context.Context, std streams) error {
	client, end, err := c.client()
	if err != nil {
		return err
	}
	defer end()
	rotation, err := c.look(ctx, client)
	if err != nil {
		return rpcError(ctx, err)
	}
	if rotation == nil {
		_, err = fmt.Fprintln(std.out, "the admin key was never rotated")
		return err
	}
	return c.print(std.out, rotation)
}

func (f adminKeyFlags) client() (controlv1connect.AdminKeyServiceClient, func(), error) {
	client, end, err := f.Client()
	if err != nil {
		return nil, nil, err
	}
	return controlv1connect.NewAdminKeyServiceClient(client), end, nil
}

func (f adminKeyFlags) look(ctx context.Context, client controlv1connect.AdminKeyServiceClient) (*controlv1.AdminKeyRotation, error) {
	ctx, cancel := context.WithTimeout(ctx, f.Timeout)
	defer cancel()
	answer, err := client.GetAdminKeyRotation(ctx, &controlv1.GetAdminKeyRotationRequest{})
	return answer.GetRotation(), err
}

func failedRotation(r *controlv1.AdminKeyRotation) error {
	if r.GetPhase() == controlv1.AdminKeyRotation_PHASE_FAILED {
		return errRotationFailed
	}
	return nil
}

// word is the name of an enum's value, in lower case.
func word(name, prefix string) string {
	return strings.ReplaceAll(strings.ToLower(strings.TrimPrefix(name, prefix)), "_", " ")
}

// progressOf is a line about a rotation.
func progressOf(r *controlv1.AdminKeyRotation) string {
	line := word(r.GetPhase().String(), "PHASE_")
	if r.GetTrouble() != "" {
		line += ": " + r.GetTrouble()
	}
	for _, replica := range r.GetWaitingFor() {
		line += "; waits for " + replica.GetReplica()
		if replica.GetProblem() != "" {
			line += " (" + replica.GetProblem() + ")"
		}
	}
	return line
}

// print shows a rotation.
func (f adminKeyFlags) print(out io.Writer, r *controlv1.AdminKeyRotation) error {
	if f.Format == "json" {
		data, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(r)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(out, string(data))
		return err
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	row := func(name, value string) {
		if value != "" {
			_, _ = fmt.Fprintf(table, "%s\t%s\n", name, value) // Flush returns the error.
		}
	}
	row("ROTATION", r.GetId())
	row("PHASE", word(r.GetPhase().String(), "PHASE_"))
	if r.GetFailure() != controlv1.AdminKeyRotation_FAILURE_UNSPECIFIED {
		row("FAILURE", word(r.GetFailure().String(), "FAILURE_"))
	}
	row("READS", strings.Join(r.GetReads(), ", "))
	row("BY", r.GetCaller())
	row("STARTED", clock(r.GetStartedAt()))
	row("ENDED", clock(r.GetEndedAt()))
	row("OLD KEY", r.GetOldKeyId())
	row("LAST USED", clock(r.GetOldLastUsedAt()))
	row("NEW KEY", r.GetNewKeyId())
	row("NAME", r.GetNewKeyName())
	row("TROUBLE", r.GetTrouble())
	row("NEXT STEP", clock(r.GetNextStepAt()))
	for _, replica := range r.GetWaitingFor() {
		row("WAITS FOR", strings.TrimSpace(replica.GetReplica()+" "+replica.GetProblem()))
	}
	return table.Flush()
}

// clock is a time for people; "" for none.
func clock(t *timestamppb.Timestamp) string {
	if t == nil {
		return ""
	}
	return t.AsTime().Format(time.RFC3339)
}
