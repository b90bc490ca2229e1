package authn

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"
)

// SessionPrefix begins every token of a session, so that one that leaked can be
// recognised.
const SessionPrefix = "ags_"

// MaxSession is the longest life of a session. It lives no longer than its JWT either.
const MaxSession = time.Hour

const (
	sessionVersion = 1
	sessionIDBytes = 16
	// maxSessionToken bounds the token of a session, in bytes: the URL of an issuer has
	// up to 2048, and a subject may have about as many.
	maxSessionToken = 8 << 10
)

// Errors of sessions. They say nothing of the credential.
var (
	// ErrNoSessions means that the gateway makes none.
	ErrNoSessions = errors.New("authn: there are no sessions")
	// ErrNotJWT means that a session was asked for with another credential than a JWT.
	ErrNotJWT = errors.New("authn: a session is made of a JWT")
	// ErrNotSession means that the credential is not a session.
	ErrNotSession = errors.New("authn: the credential is not a session")
)

// Session is a token that was made of a JWT.
type Session struct {
	// Token is the credential.
	Token string
	// Created and Ends bound its life.
	Created, Ends time.Time
}

// session is what a token of a session says. It has no part of the JWT but its issuer
// and its subject, and gives access for as long as the policy has these for the caller.
//
// The token is kept nowhere: a message authentication code, with a key that all replicas
// have, is the proof that one of them made it.
type session struct {
	of            *sessions
	id            [sessionIDBytes]byte
	created, ends time.Time // in whole seconds
	caller        string
	subject       JWTSubject
}

// sessions makes and recognises them.
type sessions struct {
	// keys are those of the codes: the first makes them, any is accepted.
	keys    func(context.Context) ([][]byte, error)
	revoked revocations
}

// NewSession makes a token for a caller that came with a JWT. It fails with
// [ErrNoSessions], [ErrNotJWT], or an [*Error] for a JWT that has expired.
func (a *Authenticator) NewSession(ctx context.Context, identity Identity) (Session, error) {
	if a.sessions == nil {
		return Session{}, ErrNoSessions
	}
	jwt, ok := identity.credential.(*verifiedJWT)
	if !ok {
		return Session{}, ErrNotJWT
	}
	now := a.now().Truncate(time.Second)
	s := &session{created: now, ends: now.Add(MaxSession), caller: identity.Caller, subject: jwt.subject}
	if jwt.expires < seconds(s.ends) { // The claim, without the skew: clocks that are apart do not add up.
		s.ends = time.Unix(int64(jwt.expires), 0)
	}
	if !s.ends.After(now) {
		return Session{}, refuse(ReasonExpired)
	}
	if _, err := rand.Read(s.id[:]); err != nil {
		return Session{}, fmt.Errorf("authn: draw the id of a session: %w", err)
	}
	keys, err := a.sessions.keys(ctx)
	if err != nil {
		return Session{}, fmt.Errorf("authn: keys of sessions: %w", err)
	}
	token := s.token(keys[0])
	if len(token) > maxSessionToken {
		return Session{}, fmt.Errorf("authn: the issuer and the subject of the JWT are too long for a session: %w", ErrNotJWT)
	}
	return Session{token, s.created, s.ends}, nil
}

// SessionOf says when the session of an identity was made; false for another credential.
func SessionOf(identity Identity) (created time.Time, ok bool) {
	s, ok := identity.credential.(*session)
	if !ok {
		return time.Time{}, false
	}
	return s.created, true
}

// RevokeSession ends the session of an identity, here and now. It fails with
// [ErrNotSession], or with a [*SessionLimitError].
func (a *Authenticator) RevokeSession(identity Identity) error {
	s, ok := identity.credential.(*session)
	if !ok {
		return ErrNotSession
	}
	return s.of.revoked.add(s, a.now())
}

// lookUp implements [credential].
func (s *session) lookUp(t *Table, now time.Time) (Identity, error) {
	switch caller, known := t.subjects[s.subject]; {
	case !now.Before(s.ends):
		return Identity{}, refused(ReasonExpiredToken, s.subject.id())
	case s.of.revoked.has(s):
		return Identity{}, refused(ReasonRevokedToken, s.subject.id())
	case !known || caller != s.caller:
		return Identity{}, refused(ReasonUnknownSubject, s.subject.id())
	}
	return Identity{
		Caller: s.caller, Method: MethodSession, CredentialID: s.subject.id(), Expires: s.ends, credential: s,
	}, nil
}

// authenticate finds the caller of the token of a session.
func (of *sessions) authenticate(ctx context.Context, t *Table, token string, now time.Time) (Identity, error) {
	if len(token) > maxSessionToken {
		return Identity{}, refuse(ReasonUnknownToken)
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(strings.TrimPrefix(token, SessionPrefix))
	if err != nil || len(raw) < 1+sha256.Size || raw[0] != sessionVersion {
		return Identity{}, refuse(ReasonUnknownToken)
	}
	keys, err := of.keys(ctx)
	if err != nil {
		return Identity{}, &Error{Reason: ReasonNoKeys, Err: err}
	}
	code, body, genuine := raw[1:1+sha256.Size], raw[1+sha256.Size:], false
	for _, key := range keys {
		genuine = hmac.Equal(sessionCode(key, body), code) || genuine
	}
	if !genuine {
		return Identity{}, refuse(ReasonUnknownToken)
	}
	s, ok := parseSession(body)
	if !ok {
		return Identity{}, refuse(ReasonUnknownToken)
	}
	s.of = of
	return s.lookUp(t, now)
}

// token is the session in one word.
func (s *session) token(key []byte) string {
	body := s.appendBody(nil)
	b := append([]byte{sessionVersion}, sessionCode(key, body)...)
	return SessionPrefix + base64.RawURLEncoding.EncodeToString(append(b, body...))
}

// sessionCode authenticates the body of a token (HMAC-SHA256) with its version.
func sessionCode(key, body []byte) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte{sessionVersion})
	mac.Write(body)
	return mac.Sum(nil)
}

func (s *session) appendBody(b []byte) []byte {
	b = append(b, s.id[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(s.created.Unix()))
	b = binary.BigEndian.AppendUint64(b, uint64(s.ends.Unix()))
	for _, text := range []string{s.caller, s.subject.Issuer, s.subject.Subject} {
		b = append(binary.AppendUvarint(b, uint64(len(text))), text...)
	}
	return b
}

// parseSession reads what appendBody wrote.
func parseSession(b []byte) (*session, bool) {
	const head = sessionIDBytes + 8 + 8
	if len(b) < head {
		return nil, false
	}
	s := &session{id: [sessionIDBytes]byte(b[:sessionIDBytes])}
	s.created = time.Unix(int64(binary.BigEndian.Uint64(b[sessionIDBytes:])), 0)
	s.ends = time.Unix(int64(binary.BigEndian.Uint64(b[sessionIDBytes+8:])), 0)
	b = b[head:]
	for _, text := range []*string{&s.caller, &s.subject.Issuer, &s.subject.Subject} {
		n, size := binary.Uvarint(b)
		if size <= 0 || n > uint64(len(b)-size) {
			return nil, false
		}
		*text, b = string(b[size:size+int(n)]), b[size+int(n):]
	}
	return s, len(b) == 0
}
