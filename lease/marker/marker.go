// Package marker makes and reads the names that credentials have upstream. By its name
// the gateway knows a credential that it made, whatever became of its ledger.
//
// A name is agw.<role>.<id>.<mac>. The MAC keeps a key that a person has named so from
// being taken for one of the gateway's, and deleted.
//
// It imports the standard library and package lease alone.
package marker

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"slices"
	"strings"

	"github.com/admin-gateway/admin-gateway/lease"
)

const (
	// KeyBytes is the least length of a key.
	KeyBytes = 32
	prefix   = "agw"
	macBytes = 15 // 24 characters
)

// Marker makes and reads names. It is immutable.
type Marker struct {
	organization string
	keys         [][]byte
}

// New makes a Marker of an organization. Names are made with the first of the keys, and
// read with any: a key that is replaced goes behind the new one until no credential has
// a name of it.
func New(organization string, keys ...[]byte) (*Marker, error) {
	if len(keys) == 0 {
		return nil, errors.New("marker: a key is required")
	}
	m := &Marker{organization: organization}
	for _, key := range keys {
		if len(key) < KeyBytes {
			return nil, errors.New("marker: a key is too short")
		}
		m.keys = append(m.keys, slices.Clone(key))
	}
	return m, nil
}

// Name is the name of a credential of a role. The role has no dot in it.
func (m *Marker) Name(role, id string) string {
	return strings.Join([]string{prefix, role, id, mac(m.keys[0], "credential", m.organization, role, id)}, ".")
}

// Parse is the role and the id of a name; false if this gateway did not make it.
func (m *Marker) Parse(name string) (role, id string, ok bool) {
	parts := strings.Split(name, ".")
	if len(parts) != 4 || parts[0] != prefix {
		return "", "", false
	}
	role, id = parts[1], parts[2]
	if _, isID := lease.IDTime(id); !isID {
		return "", "", false
	}
	for _, key := range m.keys {
		// No early end: which key it was is no secret, and there are few.
		if hmac.Equal([]byte(parts[3]), []byte(mac(key, "credential", m.organization, role, id))) {
			ok = true
		}
	}
	return role, id, ok
}

// Account is the name of the account of a role, which the role calls name. It is always
// the same: the account is found by it, and attribution of costs stays.
func (m *Marker) Account(projectID, name string) string {
	return name + "." + prefix + "." + mac(m.keys[0], "account", m.organization, projectID, name)
}

// IsAccount tells whether found is the name of that account, with any of the keys.
func (m *Marker) IsAccount(found, projectID, name string) bool {
	is := false
	for _, key := range m.keys {
		if hmac.Equal([]byte(found), []byte(name+"."+prefix+"."+mac(key, "account", m.organization, projectID, name))) {
			is = true
		}
	}
	return is
}

func mac(key []byte, parts ...string) string {
	h := hmac.New(sha256.New, key)
	for _, part := range parts {
		_, _ = h.Write([]byte(part)) // A hash does not fail.
		_, _ = h.Write([]byte{0})
	}
	return base32.NewEncoding("0123456789abcdefghijklmnopqrstuv").WithPadding(base32.NoPadding).EncodeToString(h.Sum(nil)[:macBytes])
}
