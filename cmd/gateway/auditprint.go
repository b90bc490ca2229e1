package main

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/output"
	controlv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/control/v1"
	"github.com/admin-gateway/admin-gateway/service/recordtext"
)

// auditPrinter prints records and strangers.
type auditPrinter struct {
	out, notes io.Writer
	format     output.Format
	// whole shows all of a record, and not a row.
	whole bool
}

// records prints records, and fails with [errNothingFound] where there is none.
func (p *auditPrinter) records(found *controlv1.ListRecordsResponse) error {
	var err error
	switch all := found.GetRecords(); {
	case p.format != output.Text:
		err = output.Whole(p.out, p.format, found)
	case p.whole:
		for i, r := range all {
			err = errors.Join(err, p.record(r, i > 0))
		}
	case len(all) > 0:
		table := output.NewTable(p.out, output.Width(p.out), "TIME", "REQUEST", "CALLER", "METHOD", "OUTCOME", "TOOK", "WAITED", "WHY")
		for _, r := range all {
			err = errors.Join(err, table.Row(when(r.GetTime()), r.GetRequestId(), callerOf(r), shortMethod(r.GetMethod()), recordtext.Outcome(r),
				recordtext.Took(r.GetDuration()), waitedOf(r), recordtext.Why(r)))
		}
		err = errors.Join(err, table.Close())
	}
	if err != nil {
		return err
	}
	return p.end(len(found.GetRecords()), found.GetMore(), found.GetReplicas(), found.GetUnknownReplicas())
}

// record prints all that a record says, in words.
func (p *auditPrinter) record(r *controlv1.AuditRecord, another bool) error {
	table := tabwriter.NewWriter(p.out, 0, 0, 2, ' ', 0)
	var text strings.Builder
	if another {
		text.WriteString("\n")
	}
	title := when(r.GetTime()) + "  " + r.GetRequestId() + "  " + recordtext.Outcome(r)
	if r.GetReplica() != "" {
		title += "  at " + r.GetReplica()
	}
	text.WriteString(output.Printable(title) + "\n")
	pair := func(name, value string) {
		if value != "" {
			text.WriteString("  " + name + "\t" + output.Printable(value) + "\n")
		}
	}
	pair("who", recordtext.Who(r))
	pair("what", recordtext.What(r))
	pair("why", recordtext.Why(r))
	pair("needs", r.GetPermission())
	pair("took", recordtext.Took(r.GetDuration()))
	pair("waited", recordtext.Waited(r))
	pair("cache", recordtext.Cache(r))
	pair("reads", counted(r))
	pair("idempotency key", r.GetIdempotency())
	pair("in the course of", r.GetWithin())
	pair("lease", strings.Join(nonEmpty(r.GetLeaseRole(), r.GetLeaseHolder(), r.GetLeaseCause()), ", "))
	pair("upstream's request", r.GetUpstreamRequestId())
	pair("trace", r.GetTraceId())
	pair("request", details(r.GetRequest()))
	pair("answer", details(r.GetAnswer()))
	if _, err := io.WriteString(table, text.String()); err != nil {
		return err
	}
	return table.Flush()
}

// strangers prints strangers, and fails with [errNothingFound] where there is none.
func (p *auditPrinter) strangers(found *controlv1.ListStrangersResponse) error {
	var err error
	switch all := found.GetStrangers(); {
	case p.format != output.Text:
		err = output.Whole(p.out, p.format, found)
	case len(all) > 0:
		table := output.NewTable(p.out, output.Width(p.out), "LAST", "FIRST", "CALLS", "FROM", "DOOR", "PRESENTED", "LAST METHOD", "LAST REQUEST", "WHY")
		for _, s := range all {
			err = errors.Join(err, table.Row(when(s.GetLast()), when(s.GetFirst()), strconv.FormatInt(s.GetCount(), 10), recordtext.From(s.GetPeer(), s.GetForwardedFor()),
				s.GetDoor(), s.GetPresented(), shortMethod(s.GetMethod()), s.GetRequestId(), recordtext.Stranger(s)))
		}
		err = errors.Join(err, table.Close())
	}
	if err != nil {
		return err
	}
	return p.end(len(found.GetStrangers()), found.GetMore(), found.GetReplicas(), found.GetUnknownReplicas())
}

// end says what is not in the answer.
func (p *auditPrinter) end(n int, more bool, replicas []*controlv1.ReplicaMemory, unknown bool) error {
	var notes strings.Builder
	if more {
		fmt.Fprintf(&notes, "there are more: these are the %d newest; --limit shows more, and --since or --until others\n", n)
	}
	for _, m := range replicas {
		name := output.Printable(m.GetReplica())
		switch {
		case m.GetMissing() != "":
			fmt.Fprintf(&notes, "! replica %s is not in this: it %s\n", name, output.Printable(m.GetMissing()))
		case n == 0 || m.GetCompleteSince().AsTime().After(time.Now().Add(-time.Hour)):
			fmt.Fprintf(&notes, "replica %s remembers all of it since %s; the audit log reaches further back (--file)\n", name, when(m.GetCompleteSince()))
		}
	}
	if unknown {
		notes.WriteString("! there may be other replicas: Redis does not answer\n")
	}
	if _, err := io.WriteString(p.notes, notes.String()); err != nil {
		return err
	}
	if n == 0 {
		return errNothingFound
	}
	return nil
}

// when is a time in UTC, to the millisecond.
func when(t interface{ AsTime() time.Time }) string {
	return t.AsTime().Format("2006-01-02T15:04:05.000Z")
}

func callerOf(r *controlv1.AuditRecord) string {
	if r.GetCaller() == "" && r.GetAgent() == "" {
		return recordtext.From(r.GetPeer(), r.GetForwardedFor())
	}
	if r.GetAgent() != "" {
		return "(" + r.GetAgent() + ") " + r.GetCaller()
	}
	return r.GetCaller()
}

// waitedOf is how long a call waited, where anybody would notice, and for which budget.
func waitedOf(r *controlv1.AuditRecord) string {
	if r.GetWaited().AsDuration() < time.Millisecond {
		return ""
	}
	return strings.TrimSpace(recordtext.Took(r.GetWaited()) + " " + r.GetBudget())
}

// shortMethod is Service/Method.
func shortMethod(method string) string {
	if i := strings.LastIndexByte(method, '/'); i > 0 {
		return method[strings.LastIndexByte(method[:i], '.')+1:]
	}
	return method
}

func counted(r *controlv1.AuditRecord) string {
	if r.GetCalls() == 0 && r.GetCallsRefused() == 0 {
		return ""
	}
	return fmt.Sprintf("%d made, %d that the caller may not make", r.GetCalls(), r.GetCallsRefused())
}

func details(all []*controlv1.AuditDetail) string {
	var parts []string
	for _, d := range all {
		parts = append(parts, d.GetPath()+"="+strings.Join(d.GetValues(), ","))
	}
	return strings.Join(parts, " ")
}

func nonEmpty(texts ...string) (all []string) {
	for _, text := range texts {
		if text != "" {
			all = append(all, text)
		}
	}
	return all
}
