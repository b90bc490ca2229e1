package pages

import (
	"context"
	"net/url"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
	"github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1/adminv1connect"
	controlv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/control/v1"
	"github.com/admin-gateway/admin-gateway/gen/admingateway/control/v1/controlv1connect"
	"github.com/admin-gateway/admin-gateway/service/console"
	"github.com/admin-gateway/admin-gateway/service/recordtext"
)

const (
	permissionRecords   = "audit.records.read"
	permissionStrangers = "audit.strangers.read"
	permissionEntries   = "audit_logs.read"

	// maxRecords is how many records the page shows, maxEntries how many entries of the
	// upstream's audit log: one page of it, which is one call.
	maxRecords = 100
	maxEntries = 100
)

// activity is the page of who did what: the gateway's own records, and what the upstream
// says of the same.
func activity() *console.Page {
	return &console.Page{
		Path: "/activity", Title: "Activity", Needs: []string{permissionRecords, permissionStrangers, permissionEntries},
		Controls: "activity-controls",
		Prepare:  func(v *console.Visit) any { return filterOf(v) },
		Parts: []console.Part{
			{ID: "records", Title: "Calls of the gateway", Needs: permissionRecords, Wide: true, Gather: gatherRecords, Template: "records"},
			{ID: "entries", Title: "The upstream's audit log", Needs: permissionEntries, Wide: true, Gather: gatherEntries, Template: "entries"},
			{ID: "strangers", Title: "Who could not log in", Needs: permissionStrangers, Wide: true, Gather: gatherStrangers, Template: "strangers"},
		},
	}
}

// filter is what the page is asked for.
type filter struct{ Request, Caller, Project, Decision string }

// The decisions that may be asked for.
const (
	decisionDenied = "denied"
	decisionFailed = "failed"
)

func filterOf(v *console.Visit) filter {
	f := filter{
		Request: strings.TrimSpace(v.Query.Get("request")), Caller: strings.TrimSpace(v.Query.Get("caller")),
		Project: strings.TrimSpace(v.Query.Get("project")), Decision: v.Query.Get("decision"),
	}
	if f.Decision != decisionDenied && f.Decision != decisionFailed {
		f.Decision = ""
	}
	return f
}

// records reads the newest records that the filter lets through.
func (f filter) records(ctx context.Context, v *console.Visit) (*controlv1.ListRecordsResponse, error) {
	return controlv1connect.NewAuditServiceClient(v.Client()).ListRecords(ctx, &controlv1.ListRecordsRequest{
		RequestId: f.Request, Caller: f.Caller, Project: f.Project, Denied: f.Decision == decisionDenied, Failed: f.Decision == decisionFailed,
		Limit: proto.Int32(maxRecords),
	})
}

// entries reads the newest page of the upstream's audit log. A caller that is limited to
// projects sees theirs.
func (f filter) entries(ctx context.Context, v *console.Visit) ([]*adminv1.AuditLog, error) {
	request := &adminv1.ListAuditLogsRequest{Limit: proto.Int32(maxEntries)}
	if own, limited := v.Access.Projects(permissionEntries); limited {
		request.ProjectIds = own
	}
	if f.Project != "" {
		request.ProjectIds = []string{f.Project}
	}
	answer, err := adminv1connect.NewAuditLogServiceClient(v.Client()).ListAuditLogs(ctx, request)
	return answer.GetData(), err
}

// recordsView is what the template "records" shows.
type recordsView struct {
	Records []recordView
	More    bool
	Missing []*controlv1.ReplicaMemory // replicas that did not answer
	Unknown bool
}

// recordView is one record, in words.
type recordView struct {
	*controlv1.AuditRecord

	Outcome, What, Why, From, Took, Waited, Cache string
	// Entries are the kinds of the upstream's entries about it.
	Entries []string
	Link    string // the page of this call alone
}

// Bad says that the call was not answered.
func (r recordView) Bad() bool { return r.GetCode() != "" && r.GetCode() != "ok" }

func gatherRecords(ctx context.Context, v *console.Visit) (any, error) {
	f := filterOf(v)
	answer, err := f.records(ctx, v)
	if err != nil {
		return nil, err
	}
	var entries []*adminv1.AuditLog
	if v.Access.May(permissionEntries) {
		// The records are the point: without the upstream's word they stand alone, and the
		// part below says what is wrong with that.
		asking, cancel := context.WithTimeout(ctx, namesTimeout)
		defer cancel()
		entries, _ = f.entries(asking, v)
	}
	view := recordsView{More: answer.GetMore(), Unknown: answer.GetUnknownReplicas()}
	for _, r := range answer.GetRecords() {
		one := recordView{
			AuditRecord: r, Outcome: recordtext.Outcome(r), What: recordtext.What(r), Why: recordtext.Why(r),
			From: recordtext.From(r.GetPeer(), r.GetForwardedFor()), Took: recordtext.Took(r.GetDuration()), Waited: recordtext.Waited(r), Cache: recordtext.Cache(r),
			Link: "/activity?" + url.Values{"request": {r.GetRequestId()}}.Encode(),
		}
		for _, entry := range entries {
			if isAbout(entry, r) {
				one.Entries = append(one.Entries, entry.GetType())
			}
		}
		view.Records = append(view.Records, one)
	}
	for _, replica := range answer.GetReplicas() {
		if replica.GetMissing() != "" {
			view.Missing = append(view.Missing, replica)
		}
	}
	return view, nil
}

// isAbout says whether an entry of the upstream is about the call of a record: its id is
// that of the request, and what follows an underscore.
func isAbout(entry *adminv1.AuditLog, r *controlv1.AuditRecord) bool {
	id := r.GetUpstreamRequestId()
	rest, ok := strings.CutPrefix(entry.GetId(), id)
	return id != "" && ok && (rest == "" || rest[0] == '_')
}

// entriesView is what the template "entries" shows.
type entriesView struct{ Entries []auditView }

// auditView is an entry of the upstream's audit log.
type auditView struct {
	*adminv1.AuditLog

	Actor string
	Call  *controlv1.AuditRecord // the call of the gateway that it is about; nil: none that is known
	Link  string                 // its page
}

func gatherEntries(ctx context.Context, v *console.Visit) (any, error) {
	f := filterOf(v)
	entries, err := f.entries(ctx, v)
	if err != nil {
		return nil, err
	}
	var records []*controlv1.AuditRecord
	if v.Access.May(permissionRecords) {
		if answer, err := f.records(ctx, v); err == nil {
			records = answer.GetRecords()
		}
	}
	var view entriesView
	for _, entry := range entries {
		one := auditView{AuditLog: entry, Actor: actorOf(entry.GetActor())}
		if i := slices.IndexFunc(records, func(r *controlv1.AuditRecord) bool { return isAbout(entry, r) }); i >= 0 {
			one.Call = records[i]
			one.Link = "/activity?" + url.Values{"request": {records[i].GetRequestId()}}.Encode()
		}
		view.Entries = append(view.Entries, one)
	}
	return view, nil
}

// actorOf is who acted: a person by its address, or a key by its id.
func actorOf(actor *adminv1.AuditLogActor) string {
	if email := actor.GetSession().GetUser().GetEmail(); email != "" {
		return email
	}
	key := actor.GetApiKey()
	for _, who := range []string{key.GetUser().GetEmail(), key.GetServiceAccount().GetId(), key.GetId()} {
		if who != "" {
			return who
		}
	}
	return ""
}

// strangersView is what the template "strangers" shows.
type strangersView struct {
	*controlv1.ListStrangersResponse

	Rows []strangerView
}

// strangerView is one line of them.
type strangerView struct {
	*controlv1.Stranger

	Why string
}

func gatherStrangers(ctx context.Context, v *console.Visit) (any, error) {
	answer, err := controlv1connect.NewAuditServiceClient(v.Client()).ListStrangers(ctx, &controlv1.ListStrangersRequest{Limit: proto.Int32(maxRecords)})
	if err != nil {
		return nil, err
	}
	view := strangersView{ListStrangersResponse: answer}
	for _, s := range answer.GetStrangers() {
		view.Rows = append(view.Rows, strangerView{s, recordtext.Stranger(s)})
	}
	return view, nil
}
