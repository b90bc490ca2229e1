//go:build unix

package leases

import (
	"strings"
	"time"
)

// slack is for what a call takes on its way to the upstream, which counts from when it
// does it, and for the second that it cuts its times to.
const slack = longestDelay + 2*time.Second

// ends: the upstream would have ended every key that was ever made by the end of its lease
// and the grace, also one that was deleted: nobody might have been there to delete it. The
// ends are those that the tenants were told; where an answer did not come, that which was
// asked for.
func (c *check) ends() {
	for i := range c.keys {
		key := &c.keys[i]
		role, id := key.mark()
		row := c.rows[id]
		if row == nil {
			continue // once has said it.
		}
		latest := c.latest(key, role, row).Add(grace + slack)
		if key.Endless {
			c.add(Outlives, "key %s has no end, and its lease has: %s", key.Name, latest.UTC().Format(clock))
		} else if end := time.Unix(*key.ExpiresAt, 0); end.After(latest) {
			c.add(Outlives, "key %s ends at %s, and its lease by %s with the grace (%s, %s)", key.Name, end.UTC().Format(clock), latest.UTC().Format(clock), row.State, row.RequestID)
		}
	}
}

// latest is the latest end of the leases of a key.
func (c *check) latest(key *Key, name string, row *Row) time.Time {
	var role Role
	for _, r := range roles() {
		if r.Name == name {
			role = r
		}
	}
	purpose, of, _ := strings.Cut(row.RequestID, "/")
	switch purpose {
	case "lease", "rotation":
		lease, _, _ := strings.Cut(of, "/")
		if l := c.rows[lease]; l != nil {
			if h := c.holdOf(l); h != nil {
				return h.Latest
			}
		}
		return key.Made // No tenant has asked for it.
	case "pool":
		// Whoever came while it was there may have a seat in it.
		latest := key.Made.Add(role.TTL)
		for _, h := range c.diary.holds {
			if h.Role == name && h.Latest.After(latest) {
				latest = h.Latest
			}
		}
		if longest := key.Made.Add(role.MaxTTL); latest.After(longest) {
			return longest
		}
		return latest
	default:
		return key.Made.Add(role.MaxTTL)
	}
}

// holdOf is what the tenant knows of a lease.
func (c *check) holdOf(row *Row) *Hold {
	for _, h := range c.diary.holds {
		if h.Request == row.RequestID && h.Role == row.Role {
			return h
		}
	}
	return nil
}

// lastEnd is when the last lease has ended, with the grace, or the last key that the gateway
// has for itself: of a static role, or made ahead.
func (c *check) lastEnd() time.Time {
	last := c.now
	for _, h := range c.diary.holds {
		if h.Latest.After(last) {
			last = h.Latest
		}
	}
	for i := range c.keys {
		role, id := c.keys[i].mark()
		if row := c.rows[id]; row != nil {
			if latest := c.latest(&c.keys[i], role, row); latest.After(last) {
				last = latest
			}
		}
	}
	return last.Add(grace + slack)
}
