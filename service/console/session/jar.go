package session

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/admin-gateway/admin-gateway/cache/seal"
)

const (
	// maxValue bounds the value of one cookie: a browser keeps 4 KiB of name, value and
	// attributes.
	maxValue = 3800
	// maxCookies bounds the cookies of one session. A JWT has up to 16 KiB, and one that
	// is longer than these is refused.
	maxCookies = 4
	// refreshAfter is how old Seen may be before the cookie is made anew.
	refreshAfter = time.Minute
)

// ErrTooLong is the error for a credential that no cookies can hold.
var ErrTooLong = errors.New("console: the credential is too long for cookies")

// Keys are those that all replicas have: the first one encrypts, each decrypts.
type Keys func(context.Context) ([][]byte, error)

// Jar keeps sessions in cookies. It is safe for concurrent use.
type Jar struct {
	// Name is that of the cookies.
	Name string
	// Keys encrypt.
	Keys Keys
	// Secure says that browsers come over TLS: the cookies are for TLS alone, and for
	// this host.
	Secure bool
	// Longest is how long a session lasts, Idle how long without a page.
	Longest, Idle time.Duration
	// Now is the clock.
	Now func() time.Time
}

// name is that of the nth cookie. The prefix has a browser refuse one that another host
// or a page without TLS has set.
func (j *Jar) name(n int) string {
	name := j.Name
	if j.Secure {
		name = "__Host-" + name
	}
	if n > 0 {
		name += "-" + strconv.Itoa(n)
	}
	return name
}

func (j *Jar) sealer(ctx context.Context) (seal.Sealer, error) {
	keys, err := j.Keys(ctx)
	if err != nil {
		return seal.Sealer{}, fmt.Errorf("console: keys of sessions: %w", err)
	}
	return seal.New(keys)
}

// Set puts a session into the cookies of an answer. It fails with [ErrTooLong], or
// without keys.
func (j *Jar) Set(ctx context.Context, w http.ResponseWriter, s Session) error {
	sealer, err := j.sealer(ctx)
	if err != nil {
		return err
	}
	text, err := s.encode()
	if err != nil {
		return fmt.Errorf("console: a session: %w", err)
	}
	value := base64.RawURLEncoding.EncodeToString(sealer.Seal(text, []byte(j.Name)))
	if len(value) > maxCookies*maxValue {
		return ErrTooLong
	}
	for n := range maxCookies {
		part := value[:min(len(value), maxValue)]
		value = value[len(part):]
		if part == "" {
			j.clear(w, n)
			continue
		}
		http.SetCookie(w, j.cookie(n, part, int(j.Longest/time.Second)))
	}
	return nil
}

// Clear takes the cookies of a session away.
func (j *Jar) Clear(w http.ResponseWriter) {
	for n := range maxCookies {
		j.clear(w, n)
	}
}

func (j *Jar) clear(w http.ResponseWriter, n int) { http.SetCookie(w, j.cookie(n, "", -1)) }

func (j *Jar) cookie(n int, value string, maxAge int) *http.Cookie {
	// Lax and not Strict: a link to a page, in a message or a runbook, finds its reader
	// logged in. Nothing is changed by a GET.
	return &http.Cookie{Name: j.name(n), Value: value, Path: "/", MaxAge: maxAge, HttpOnly: true, Secure: j.Secure, SameSite: http.SameSiteLaxMode} //nolint:gosec // Secure where browsers come over TLS.
}

// Get is the session of a request, if it has one that has not ended. Renew says that its
// cookies are to be set again.
func (j *Jar) Get(ctx context.Context, r *http.Request) (s Session, renew, ok bool) {
	value := ""
	for n := range maxCookies {
		cookie, err := r.Cookie(j.name(n))
		if err != nil || cookie.Value == "" {
			break
		}
		value += cookie.Value
	}
	if value == "" || len(value) > maxCookies*maxValue {
		return Session{}, false, false
	}
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(value)
	if err != nil {
		return Session{}, false, false
	}
	sealer, err := j.sealer(ctx)
	if err != nil {
		return Session{}, false, false
	}
	text, ok := sealer.Open(sealed, []byte(j.Name))
	if !ok {
		return Session{}, false, false
	}
	if s, ok = decode(text); !ok {
		return Session{}, false, false
	}
	now := j.Now()
	if now.Sub(s.Created) >= j.Longest || now.Sub(s.Seen) >= j.Idle || s.Created.After(now.Add(time.Minute)) {
		return Session{}, false, false
	}
	renew = now.Sub(s.Seen) >= refreshAfter
	s.Seen = now
	return s, renew, true
}
