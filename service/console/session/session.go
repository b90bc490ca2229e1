package session

import (
	"crypto/rand"
	"encoding/json"
	"time"

	"github.com/admin-gateway/admin-gateway/internal/digest"
)

// Session is one login.
type Session struct {
	// Token is the credential that its user has logged in with.
	Token string `json:"token"`
	// Created is when that was, Seen when the last page was asked for, give or take
	// [refreshAfter].
	Created time.Time `json:"created"`
	Seen    time.Time `json:"seen"`
	// Secret is in every form of a page, and proves that one was sent from there.
	Secret string `json:"secret"`
}

// New begins a session.
func New(token string, now time.Time) Session {
	return Session{Token: token, Created: now, Seen: now, Secret: rand.Text()}
}

// Proves says whether a form has the secret of the session.
func (s Session) Proves(secret string) bool {
	return s.Secret != "" && digest.Of([]byte(s.Secret)).Equal(digest.Of([]byte(secret)))
}

// encode and decode are for what is sealed.
func (s Session) encode() ([]byte, error) { return json.Marshal(s) } //nolint:gosec // It is encrypted before it leaves.

func decode(text []byte) (s Session, ok bool) {
	err := json.Unmarshal(text, &s)
	return s, err == nil && s.Token != "" && !s.Created.IsZero()
}
