package pages

import (
	"cmp"
	"context"
	"net/url"
	"slices"
	"time"

	"connectrpc.com/connect/v2"

	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
	"github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1/adminv1connect"
	inventoryv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/inventory/v1"
	"github.com/admin-gateway/admin-gateway/gen/admingateway/inventory/v1/inventoryv1connect"
	"github.com/admin-gateway/admin-gateway/pages"
	"github.com/admin-gateway/admin-gateway/service/console"
)

const (
	permissionKeys      = "inventory.keys.read"
	permissionAdminKeys = "admin_api_keys.read"
	permissionDelete    = "projects.api_keys.delete"
	// staleAfter is after which time without use a key is stale, and soon within which time
	// it is about to end.
	staleAfter, soon = 90 * day, 14 * day
	// maxKeyRows bounds the rows of the page, and maxKeyRowsCSV those of its file.
	maxKeyRows, maxKeyRowsCSV = 500, 50_000
)

// keys is the page of all keys.
func keys() *console.Page {
	return &console.Page{
		Path: "/keys", Title: "Keys", Needs: []string{permissionKeys, permissionAdminKeys, permissionLeases},
		Controls: "keys-controls", Prepare: func(v *console.Visit) any { return keyFilterOf(v) }, CSV: keysCSV,
		Parts: []console.Part{
			{ID: "keys", Title: "Keys of projects", Needs: permissionKeys, Wide: true, Gather: gatherKeys, Template: "keys", Long: true, Deadline: longest},
			{ID: "leases", Title: "Leases", Needs: permissionLeases, Wide: true, Gather: gatherLeases, Template: "leases"},
			{ID: "admin-keys", Title: "Admin keys of the organization", Needs: permissionAdminKeys, Wide: true, Gather: gatherAdminKeys, Template: "admin-keys"},
		},
		Actions: []*console.Action{revokeKey(), revokeLease()},
	}
}

// kind is what may be remarkable about a key.
type kind struct {
	Value, Title string
	// Mark says it of one key.
	Mark string

	is func(k *inventoryv1.KeyEntry, now time.Time) bool
}

func kinds() []kind {
	before := func(k *inventoryv1.KeyEntry, at time.Time) bool {
		return k.GetExpiresAt() != nil && k.GetExpiresAt().AsTime().Before(at)
	}
	return []kind{
		{"", "All keys", "", func(*inventoryv1.KeyEntry, time.Time) bool { return true }},
		{"stale", "Not used for 90 days", "stale", func(k *inventoryv1.KeyEntry, now time.Time) bool {
			return k.GetLastUsedAt() != nil && k.GetLastUsedAt().AsTime().Before(now.Add(-staleAfter))
		}},
		{"unused", "Never used", "never used", func(k *inventoryv1.KeyEntry, _ time.Time) bool { return k.GetLastUsedAt() == nil }},
		{"endless", "Never expire", "never expires", func(k *inventoryv1.KeyEntry, _ time.Time) bool { return k.GetExpiresAt() == nil }},
		{"soon", "Expire within 14 days", "expires soon", func(k *inventoryv1.KeyEntry, now time.Time) bool { return before(k, now.Add(soon)) && !before(k, now) }},
		{"over", "Expired", "expired", before},
		{"ownerless", "Owner without access", "owner without access", func(k *inventoryv1.KeyEntry, _ time.Time) bool {
			return k.GetOwnerProjectAccess() == adminv1.OwnerProjectAccess_OWNER_PROJECT_ACCESS_INACTIVE
		}},
	}
}

// keyFilter is what the controls of the page say.
type keyFilter struct {
	Show, Project, CSV string
	Kinds              []kind

	chosen kind
}

func keyFilterOf(v *console.Visit) keyFilter {
	f := keyFilter{Project: v.Query.Get("project"), CSV: "/keys.csv?" + v.Query.Encode(), Kinds: kinds()}
	f.chosen = f.Kinds[0]
	for _, k := range f.Kinds {
		if k.Value == v.Query.Get("show") {
			f.chosen = k
		}
	}
	f.Show = f.chosen.Value
	return f
}

// keysView is what the template "keys" shows.
type keysView struct {
	Filter keyFilter
	Counts []count
	Rows   []keyRow
	More   int // that fit the filter, and are not shown
	Whole  whole
	May    bool // its user may revoke keys
}

// count is how many keys are of a kind.
type count struct {
	kind

	N int
}

// keyRow is a key.
type keyRow struct {
	*inventoryv1.KeyEntry

	Project string
	Called  string   // the project by name; "" where that is not known
	Marks   []string // of the kinds that it is of
	Revoke  string   // the address of the question
}

// Owner is the owner by name.
func (k keyRow) Owner() string {
	return cmp.Or(k.GetOwnerName(), k.GetOwnerEmail(), k.GetOwnerId(), "?")
}

// Account says that the owner is a service account.
func (k keyRow) Account() bool {
	return k.GetOwnerType() == adminv1.ProjectApiKeyOwnerType_PROJECT_API_KEY_OWNER_TYPE_SERVICE_ACCOUNT
}

// readKeys reads all keys that the visit may see, and keeps the first most that fit its
// filter: memory is bounded, and the counts are of all.
func readKeys(ctx context.Context, v *console.Visit, most int) (*keysView, error) {
	view := &keysView{Filter: keyFilterOf(v), May: v.Access.May(permissionDelete)}
	for _, k := range view.Filter.Kinds {
		view.Counts = append(view.Counts, count{kind: k})
	}
	request := &inventoryv1.GetKeyInventoryRequest{}
	if view.Filter.Project != "" {
		request.ProjectIds = []string{view.Filter.Project}
	}
	stream, err := inventoryv1connect.NewInventoryServiceClient(v.Client()).GetKeyInventory(ctx, request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = stream.Close() }() // It was read to its end, or failed.
	view.Whole, err = follow(v, stream.Receive, func(e *inventoryv1.GetKeyInventoryResponse) {
		for _, k := range e.GetKeys().GetItems() {
			view.add(keyRow{KeyEntry: k, Project: e.GetKeys().GetProjectId()}, v.Now, most)
		}
	})
	if err != nil {
		return nil, err
	}
	names := projectNames(ctx, v)
	for i := range view.Rows {
		view.Rows[i].Called = names[view.Rows[i].Project]
	}
	slices.SortStableFunc(view.Rows, func(a, b keyRow) int {
		return cmp.Or(cmp.Compare(a.Called, b.Called), cmp.Compare(a.Project, b.Project), cmp.Compare(a.GetName(), b.GetName()), cmp.Compare(a.GetKeyId(), b.GetKeyId()))
	})
	return view, nil
}

func (view *keysView) add(k keyRow, now time.Time, most int) {
	for i := range view.Counts {
		c := &view.Counts[i]
		if !c.is(k.KeyEntry, now) {
			continue
		}
		c.N++
		if i > 0 {
			k.Marks = append(k.Marks, c.Mark)
		}
	}
	if !view.Filter.chosen.is(k.KeyEntry, now) {
		return
	}
	if len(view.Rows) == most {
		view.More++
		return
	}
	k.Revoke = "/keys/revoke?" + url.Values{"project": {k.Project}, "key": {k.GetKeyId()}}.Encode()
	view.Rows = append(view.Rows, k)
}

func gatherKeys(ctx context.Context, v *console.Visit) (any, error) {
	return readKeys(ctx, v, maxKeyRows)
}

// keysCSV is the table for other programs, which take it for the whole: so it is that, or
// an error.
func keysCSV(ctx context.Context, v *console.Visit) (console.Table, error) {
	view, err := readKeys(ctx, v, maxKeyRowsCSV)
	if err != nil {
		return console.Table{}, err
	}
	if !view.Whole.Complete || view.More > 0 {
		return console.Table{}, connect.NewError(connect.CodeFailedPrecondition, "the table would not be the whole; the page says what is missing")
	}
	table := console.Table{Name: "keys", Head: []string{"project_id", "key_id", "name", "owner_id", "owner", "created_at", "last_used_at", "expires_at"}}
	at := func(t interface{ AsTime() time.Time }, there bool) string {
		if !there {
			return ""
		}
		return t.AsTime().UTC().Format(time.RFC3339)
	}
	for _, k := range view.Rows {
		table.Rows = append(table.Rows, []string{
			k.Project, k.GetKeyId(), k.GetName(), k.GetOwnerId(), k.Owner(),
			at(k.GetCreatedAt(), k.GetCreatedAt() != nil), at(k.GetLastUsedAt(), k.GetLastUsedAt() != nil), at(k.GetExpiresAt(), k.GetExpiresAt() != nil),
		})
	}
	return table, nil
}

// gatherAdminKeys lists the admin keys.
func gatherAdminKeys(ctx context.Context, v *console.Visit) (any, error) {
	return listed[*adminv1.AdminApiKey](pages.Walk[*adminv1.AdminApiKey](
		ctx, adminv1connect.NewAdminApiKeyServiceClient(v.Client()).ListAdminApiKeys, &adminv1.ListAdminApiKeysRequest{},
	))
}

// Heading says which keys are shown.
func (f keyFilter) Heading() string { return f.chosen.Title }
