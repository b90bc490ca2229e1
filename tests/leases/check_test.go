//go:build unix

package leases

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"slices"
	"testing"
	"time"

	"github.com/admin-gateway/admin-gateway/sandbox"
)

// scene is a ledger with one lease that is alive, whose tenant knows what there is to know.
func scene() *check {
	now := time.Date(2026, 11, 29, 3, 0, 0, 0, time.UTC)
	end := now.Add(time.Hour)
	expiry := end.Add(grace).Unix()
	diary := NewDiary()
	diary.add(&Hold{Request: "r1", Role: "own", Lease: "l1", Expires: end, Latest: end, MaxExpires: end, Secrets: []string{"s1"}})
	return &check{
		rows: map[string]*Row{
			"l1": {ID: "l1", RequestID: "r1", Caller: tenantName, Role: "own", State: "ACTIVE", Credential: "c1", UpstreamExpires: end.Add(grace)},
			"c1": {ID: "c1", RequestID: "lease/l1", Role: "own", State: "ISSUED", Credential: "c1", CredentialName: "agw.own.c1.m", APIKeyID: "k1", Seats: 1, Seated: 1, UpstreamExpires: end.Add(grace)},
		},
		keys:  []Key{{KeyState: sandbox.KeyState{ID: "k1", Name: "agw.own.c1.m", Alive: true, ExpiresAt: &expiry}, Made: now}},
		diary: diary, calm: Settled, now: now,
		alive: func(secret string) bool { return secret == "s1" },
	}
}

// TestCheck: nothing is wrong with a scene, and each thing that is done to it is found.
func TestCheck(t *testing.T) {
	t.Parallel()
	if found := scene().run(); len(found) > 0 {
		t.Fatalf("nothing was done: %v", found)
	}
	for _, tt := range []struct {
		name string
		do   func(*check)
		want Kind
	}{
		{"the row of a key is gone", func(c *check) { delete(c.rows, "c1") }, Unrecorded},
		{"a key has no mark", func(c *check) { c.keys[0].Name = "Secret Key" }, Unrecorded},
		{"two keys have a name", func(c *check) { c.keys = append(c.keys, c.keys[0]) }, Twice},
		{"a request has two leases", func(c *check) {
			another := *c.rows["l1"]
			another.ID = "l2"
			c.rows["l2"] = &another
		}, Twice},
		{"a credential is doubtful, and its key lives", func(c *check) { c.rows["c1"].State = "DOUBTFUL" }, Unowned},
		{"a credential has another key", func(c *check) { c.rows["c1"].APIKeyID = "k2" }, Unowned},
		{"no lease has a credential", func(c *check) { c.rows["l1"].State, c.rows["c1"].Seated = "REVOKED", 0 }, Unowned},
		{"the key of a credential is gone", func(c *check) { c.keys[0].Alive, c.keys[0].Gone = false, c.now }, Missing},
		{"the credential of a lease is gone", func(c *check) { c.rows["c1"].State, c.rows["c1"].Ended = "REVOKED", c.now }, Missing},
		{"a credential has ended, and its key is there", func(c *check) { c.rows["c1"].State, c.rows["c1"].Ended = "REVOKED", c.now }, Lingers},
		{"a credential has ended before its key did", func(c *check) {
			c.rows["c1"].State, c.rows["c1"].Ended = "REVOKED", c.now
			c.keys[0].Alive, c.keys[0].Gone = false, c.now.Add(3*time.Second)
		}, Lingers},
		{"a key ends late", func(c *check) { *c.keys[0].ExpiresAt += 10 }, Outlives},
		{"a key that is gone would have ended late", func(c *check) {
			*c.keys[0].ExpiresAt += 10
			c.keys[0].Alive, c.keys[0].Gone = false, c.now
		}, Outlives},
		{"a key had no end once", func(c *check) { c.keys[0].Endless = true }, Outlives},
		{"a key that a tenant has does not work", func(c *check) { c.alive = func(string) bool { return false } }, EndsEarly},
		{"a key that a tenant has revoked works", func(c *check) { c.diary.holds[0].Ended = true }, NotRevoked},
		{"a seat is nobody's", func(c *check) { c.rows["c1"].Seats, c.rows["c1"].Seated = 2, 2 }, Seats},
	} {
		c := scene()
		tt.do(c)
		if found := c.run(); !slices.ContainsFunc(found, func(v Violation) bool { return v.Kind == tt.want }) {
			t.Errorf("%s: %v, want one that is %q", tt.name, found, tt.want)
		}
	}
}

// TestEncoded: the beginning of a secret is found wherever an encoding has it.
func TestEncoded(t *testing.T) {
	t.Parallel()
	forms := encoded(secretPrefix)
	for before := range 7 {
		text := slices.Concat(bytes.Repeat([]byte{0xa7}, before), []byte(secretPrefix), []byte("\xff\x00rest"))
		for _, in := range [][]byte{text, []byte(hex.EncodeToString(text)), []byte(base64.StdEncoding.EncodeToString(text))} {
			if !slices.ContainsFunc(forms, func(form []byte) bool { return bytes.Contains(in, form) }) {
				t.Errorf("behind %d bytes: %q", before, in)
			}
		}
	}
}
