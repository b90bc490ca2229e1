package layout

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/admin-gateway/admin-gateway/lease"
)

// Schema is the version of the form of a ledger. It changes with the groups below,
// and with a record that an older build would read wrongly.
const Schema = 1

const (
	separator = "\n"
	// past follows the separator, and so all keys of a group.
	past = "\x0b"
	// timeDigits are the hexadecimal digits of a time in milliseconds.
	timeDigits = 12
)

// Keys are what finds a record, and where it is counted.
type Keys struct {
	// Index are the keys, "GROUP\nMEMBER".
	Index []string
	// Counted are the groups, of those of Index, whose members are counted.
	Counted []string
}

// Of returns the keys of a record. They follow from the record alone.
func Of(r *lease.Record) Keys {
	var k Keys
	add := func(group, member string) { k.Index = append(k.Index, group+separator+member) }
	count := func(group, member string) {
		add(group, member)
		k.Counted = append(k.Counted, group)
	}
	add(AllGroup(r.State, r.IsCredential()), r.ID)
	count(RoleGroup(r.State, r.Role, r.IsCredential()), r.ID)
	if r.Caller != "" {
		add(CallerGroup(r.State, r.Caller), r.ID)
		add(MadeGroup(r.Caller), r.ID)
	}
	if r.Holder != "" {
		add(HolderGroup(r.State, r.Holder), r.ID)
	}
	if r.State.Live() && r.Credential == r.ID {
		count(LiveRoleGroup(r.Role), r.ID)
	}
	if r.State.Live() && r.Caller != "" {
		count(LiveCallerGroup(r.Caller), r.ID)
	}
	if r.IsCredential() && r.State.Live() {
		if r.APIKeyID != "" {
			add(KeyGroup(r.APIKeyID), r.ID)
		}
		if r.ServiceAccountID != "" {
			add(AccountGroup(r.ServiceAccountID), r.ID)
		}
	}
	add(RequestGroup(r), r.ID)
	for _, due := range r.Dues() {
		add(DueGroup(due.Kind), DueMember(due.At, r.ID))
	}
	return k
}

// Letter is a state in a key.
func Letter(s lease.State) string { return string(rune('A' + s)) }

// AllGroup is the group of all leases in a state, or of all credentials.
func AllGroup(s lease.State, credentials bool) string {
	if credentials {
		return "A" + Letter(s)
	}
	return "a" + Letter(s)
}

// RoleGroup is the group of the leases of a role in a state, or of its credentials.
func RoleGroup(s lease.State, role string, credentials bool) string {
	if credentials {
		return "K" + Letter(s) + role
	}
	return "r" + Letter(s) + role
}

// KeyGroup is the group of the live credential that is a key.
func KeyGroup(apiKeyID string) string { return "k" + apiKeyID }

// AccountGroup is the group of the live credentials of a service account.
func AccountGroup(serviceAccountID string) string { return "s" + serviceAccountID }

// CallerGroup is the group of the leases of a caller in a state.
func CallerGroup(s lease.State, caller string) string { return "c" + Letter(s) + caller }

// HolderGroup is the group of the leases for a holder in a state.
func HolderGroup(s lease.State, holder string) string { return "h" + Letter(s) + holder }

// LiveRoleGroup is the group of the live credentials of a role.
func LiveRoleGroup(role string) string { return "R" + role }

// LiveCallerGroup is the group of the live leases of a caller.
func LiveCallerGroup(caller string) string { return "C" + caller }

// MadeGroup is the group of the leases that a caller has made.
func MadeGroup(caller string) string { return "m" + caller }

// RequestGroup is the group of the one lease that answers a request.
func RequestGroup(r *lease.Record) string {
	digest := sha256.Sum256([]byte(r.Caller + separator + r.Role + separator + r.RequestID))
	return "q" + hex.EncodeToString(digest[:])
}

// DueGroup is the group of what is due of a kind.
func DueGroup(kind lease.DueKind) string { return "d" + string(rune(kind)) }

// DueMember is the member of a lease that is due at a time.
func DueMember(at time.Time, id string) string {
	return fmt.Sprintf("%0*x", timeDigits, uint64(max(at.UnixMilli(), 0))) + id
}

// ID is the id of the lease that a key finds.
func ID(key string) string { return key[max(0, len(key)-lease.IDLength):] }

// DueTime is the time in a key of a group of what is due.
func DueTime(key string) (time.Time, error) {
	_, member, _ := strings.Cut(key, separator)
	ms, err := strconv.ParseInt(member[:min(timeDigits, len(member))], 16, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("a key of what is due has no time: %w", err)
	}
	return time.UnixMilli(ms).UTC(), nil
}

// Counted is the count of a counted group, without its number; false for groups of other
// letters.
func Counted(group string) (lease.Count, bool) {
	if len(group) < 2 || group[0] != 'r' && group[0] != 'K' {
		return lease.Count{}, false
	}
	c := lease.Count{Role: group[2:], State: lease.State(group[1] - 'A'), Credentials: group[0] == 'K'}
	return c, c.State.Valid()
}

// AccountFields are the fields under which an account is found by its name and by its id.
// No text of an account has the separator in it.
func AccountFields(a lease.ServiceAccount) (byName, byID string) {
	return "n" + a.ProjectID + separator + a.Name, "i" + a.ID
}

// AccountOf is the account with an id that is found by a name.
func AccountOf(byName, id string) lease.ServiceAccount {
	project, name, _ := strings.Cut(byName[min(1, len(byName)):], separator)
	return lease.ServiceAccount{ProjectID: project, Name: name, ID: id}
}

// Encode returns the bytes of a record.
func Encode(r *lease.Record) ([]byte, error) { return json.Marshal(r) }

// Decode reads the bytes of a record. A member that this build does not know is
// skipped.
func Decode(data []byte) (lease.Record, error) {
	var r lease.Record
	if err := json.Unmarshal(data, &r); err != nil {
		return lease.Record{}, fmt.Errorf("a record cannot be read: %w", err)
	}
	return r, nil
}

// Associated is what is authenticated with the sealed secret of a lease, so that it
// passes for no other's.
func Associated(id string) []byte { return []byte("lease\x00" + id) }

// AssociatedDocument is what is authenticated with the sealed secret of a document.
func AssociatedDocument(name string) []byte { return []byte("document\x00" + name) }

// GroupOf is the group of a key.
func GroupOf(key string) string {
	group, _, _ := strings.Cut(key, separator)
	return group
}

// IsCounted tells whether the members of a group are counted.
func IsCounted(group string) bool { return group != "" && strings.Contains("rKRC", group[:1]) }
