//go:build unix

package leases

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Kind is what is wrong.
type Kind string

// The kinds of violations.
const (
	// Unrecorded: a key was made that the ledger does not know.
	Unrecorded Kind = "unrecorded"
	// Twice: a request has made two keys, or two leases.
	Twice Kind = "twice"
	// Unowned: a key is alive, and no live lease has it.
	Unowned Kind = "unowned"
	// Missing: a lease lives, and its key does not.
	Missing Kind = "missing"
	// Outlives: a key ends later than its lease, and the grace.
	Outlives Kind = "outlives"
	// EndsEarly: the key of a lease did not work before the lease's end.
	EndsEarly Kind = "ends early"
	// NotRevoked: a key works whose lease was revoked.
	NotRevoked Kind = "not revoked"
	// Lingers: a key was there after the ledger had said that it is over.
	Lingers Kind = "lingers"
	// MovedBack: the end of a lease was moved back.
	MovedBack Kind = "moved back"
	// NoSecret: a key was given without its secret.
	NoSecret Kind = "no secret"
	// Seats: the seats of a key are not those of its leases.
	Seats Kind = "seats"
	// Damaged: the ledger does not agree with itself.
	Damaged Kind = "damaged"
	// Exposed: a secret is in a file.
	Exposed Kind = "exposed"
)

// Violation is something that must not be.
type Violation struct {
	Kind Kind
	Text string
}

func (v Violation) String() string { return string(v.Kind) + ": " + v.Text }

// check holds the keys against the ledger, and against what the tenants know. All
// gateways are dead.
type check struct {
	rows  map[string]*Row
	keys  []Key
	diary *Diary
	calm  Calm
	now   time.Time
	// alive tells whether a secret works.
	alive func(secret string) bool

	found []Violation
	// byCredential are the keys by the ids in their marks.
	byCredential map[string][]*Key
	// seats are the leases that have seats in a credential.
	seats map[string][]*Row
}

func (c *check) add(kind Kind, format string, args ...any) {
	c.found = append(c.found, Violation{kind, fmt.Sprintf(format, args...)})
}

func (c *check) run() []Violation {
	c.byCredential, c.seats = make(map[string][]*Key), make(map[string][]*Row)
	for i := range c.keys {
		_, id := c.keys[i].mark()
		c.byCredential[id] = append(c.byCredential[id], &c.keys[i])
	}
	for _, row := range c.rows {
		if row.lease() {
			c.seats[row.Credential] = append(c.seats[row.Credential], row)
		}
	}
	c.once()
	c.owned()
	c.over()
	c.leases()
	c.holds()
	c.ends()
	return c.found
}

// once: every key has its row, and no request two keys.
func (c *check) once() {
	for id, keys := range c.byCredential {
		row := c.rows[id]
		switch {
		case row == nil || row.lease() || row.CredentialName != keys[0].Name:
			c.add(Unrecorded, "key %s, made at %s, has no row", keys[0].Name, keys[0].Made.UTC().Format(clock))
		case len(keys) > 1:
			c.add(Twice, "%d keys have the name %s", len(keys), keys[0].Name)
		}
	}
	requests := make(map[string][]string)
	for _, row := range c.rows {
		switch {
		case row.lease():
			requests[row.Role+" "+row.RequestID] = append(requests[row.Role+" "+row.RequestID], row.ID)
		case strings.HasPrefix(row.RequestID, "lease/") && len(c.byCredential[row.ID]) > 0:
			requests[row.RequestID] = append(requests[row.RequestID], row.ID)
		}
	}
	for request, ids := range requests {
		if len(ids) > 1 {
			c.add(Twice, "%s: %s", request, strings.Join(ids, ", "))
		}
	}
}

// owned: the keys that are alive are those of the credentials that are.
func (c *check) owned() {
	for id, keys := range c.byCredential {
		row := c.rows[id]
		for _, key := range keys {
			if !key.Alive || row == nil {
				continue
			}
			if c.calm != Settled && c.calm != NoCalm && row.begun() {
				continue // It is looked for when its time to be sent is over.
			}
			if !row.open() || row.APIKeyID != key.ID {
				c.add(Unowned, "key %s (%s), made at %s, is alive, and its credential is %s %s", key.Name, key.ID, key.Made.UTC().Format(clock), row.State, row.Cause)
			}
		}
	}
	for _, row := range c.rows {
		if row.lease() || !row.open() || !row.UpstreamExpires.After(c.now.Add(time.Second)) {
			continue
		}
		keys := c.byCredential[row.ID]
		if !slices.ContainsFunc(keys, func(k *Key) bool { return k.Alive && k.ID == row.APIKeyID }) {
			c.add(Missing, "credential %s of role %s is %s, and its key %s is not alive", row.ID, row.Role, row.State, row.APIKeyID)
		}
	}
}

// over: a key whose row has ended had ended before, also where it has an end by now.
func (c *check) over() {
	for id, keys := range c.byCredential {
		row := c.rows[id]
		if row == nil || !row.over() {
			continue
		}
		for _, key := range keys {
			// The upstream cuts its times to seconds.
			if end, ends := key.End(); !ends || end.After(row.Ended.Add(time.Second)) {
				c.add(Lingers, "key %s (%s) was there until %s, and is %s %s since %s", key.Name, key.ID, end.UTC().Format(clock), row.State, row.Cause, row.Ended.UTC().Format(clock))
			}
		}
	}
}

// leases: a lease that is open has a credential that is, and seats are counted.
func (c *check) leases() {
	for _, row := range c.rows {
		if row.lease() {
			credential := c.rows[row.Credential]
			if row.open() && row.UpstreamExpires.After(c.now) && (credential == nil || !credential.open()) {
				c.add(Missing, "lease %s is %s, and its credential %s is not open", row.ID, row.State, row.Credential)
			}
			continue
		}
		if !row.open() {
			continue
		}
		seated := 0
		for _, l := range c.seats[row.ID] {
			if l.seated() {
				seated++
			}
		}
		if seated != row.Seated {
			c.add(Seats, "credential %s of role %s, %q: %d seats are taken, and %d leases have them", row.ID, row.Role, row.RequestID, row.Seated, seated)
		}
		if seated == 0 && (strings.HasPrefix(row.RequestID, "lease/") || strings.HasPrefix(row.RequestID, "rotation/")) && c.calm != NoCalm {
			c.add(Unowned, "credential %s of role %s, %q, is %s, and no lease has it", row.ID, row.Role, row.RequestID, row.State)
		}
	}
}

// holds: what the tenants were told is so.
func (c *check) holds() {
	for _, h := range c.diary.holds {
		if h.Lease == "" || len(h.Secrets) == 0 {
			continue
		}
		current := h.Secrets[len(h.Secrets)-1]
		switch {
		case h.Ended && c.calm != NoCalm:
			for _, secret := range h.Secrets {
				if c.alive(secret) && !c.pooled(h.Role) {
					c.add(NotRevoked, "a key of lease %s of role %s works, and the lease was revoked", h.Lease, h.Role)
				}
			}
		case !h.Ended && !h.Doubt && h.Expires.After(c.now.Add(time.Second)) && !c.alive(current):
			c.add(EndsEarly, "the key of lease %s of role %s does not work, and the lease lasts until %s", h.Lease, h.Role, h.Expires.UTC().Format(clock))
		}
	}
}

// pooled tells whether others may have the key that a lease of a role had.
func (c *check) pooled(name string) bool {
	return slices.ContainsFunc(roles(), func(r Role) bool { return r.Name == name && r.Pooled })
}
