package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	leasev1 "github.com/admin-gateway/admin-gateway/gen/admingateway/lease/v1"
)

// leasePrinter writes answers, as tables or as JSON: one message a line, in the form of
// the gateway's own JSON.
type leasePrinter struct {
	w      io.Writer
	asJSON bool
}

func newLeasePrinter(w io.Writer, format string) *leasePrinter {
	return &leasePrinter{w, format == "json"}
}

// json writes a message on one line.
func (p *leasePrinter) json(message proto.Message) error {
	text, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(message)
	if err != nil {
		return err
	}
	var line bytes.Buffer // The spaces of protojson are at random.
	if err := json.Compact(&line, text); err != nil {
		return err
	}
	line.WriteByte('\n')
	_, err = p.w.Write(line.Bytes())
	return err
}

// lease shows one lease: the answer as JSON, or its members. More are pairs of a name and
// a value.
func (p *leasePrinter) lease(answer proto.Message, l *leasev1.Lease, more ...string) error {
	if p.asJSON {
		return p.json(answer)
	}
	pairs := append([]string{
		"lease", l.GetId(), "role", l.GetRole(), "state", stateName(l.GetState()), "cause", causeName(l.GetCause()),
		"caller", l.GetCaller(), "holder", l.GetHolder(), "labels", labelText(l.GetLabels()),
		"project", l.GetProjectId(), "service account", l.GetServiceAccountId(), "key", l.GetApiKeyId(), "name", l.GetName(),
		"created", instant(l.GetCreatedAt()), "expires", instant(l.GetExpiresAt()), "latest end", instant(l.GetMaxExpiresAt()),
		"upstream end", instant(l.GetUpstreamExpiresAt()), "revoked", instant(l.GetRevokedAt()),
	}, more...)
	table := tabwriter.NewWriter(p.w, 0, 0, 2, ' ', 0)
	for pair := range slices.Chunk(pairs, 2) {
		if pair[1] == "" {
			continue
		}
		if _, err := fmt.Fprintf(table, "%s\t%s\n", pair[0], pair[1]); err != nil {
			return err
		}
	}
	return table.Flush()
}

// leaseRow is a row of the table of leases, behind the columns that stand ahead.
func leaseRow(ahead []string, l *leasev1.Lease) string {
	return strings.Join(append(ahead, l.GetId(), l.GetRole(), stateName(l.GetState()), l.GetCaller(), orDash(l.GetHolder()), orDash(instant(l.GetExpiresAt())), orDash(l.GetApiKeyId())), "\t")
}

const leaseHeader = "LEASE\tROLE\tSTATE\tCALLER\tHOLDER\tEXPIRES\tKEY"

func stateName(s leasev1.LeaseState) string {
	return strings.ToLower(strings.TrimPrefix(s.String(), "LEASE_STATE_"))
}

// causeName is empty while there is none.
func causeName(c leasev1.LeaseCause) string {
	if c == leasev1.LeaseCause_LEASE_CAUSE_UNSPECIFIED {
		return ""
	}
	return strings.ToLower(strings.TrimPrefix(c.String(), "LEASE_CAUSE_"))
}

// labelText quotes the values: they are free text.
func labelText(labels map[string]string) string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		all = append(all, fmt.Sprintf("%s=%q", name, labels[name]))
	}
	return strings.Join(all, " ")
}

func instant(t *timestamppb.Timestamp) string {
	if t == nil {
		return ""
	}
	return t.AsTime().Format(time.RFC3339)
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
