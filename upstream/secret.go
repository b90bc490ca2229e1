package upstream

import (
	"fmt"
	"io"
	"log/slog"

	"github.com/admin-gateway/admin-gateway/internal/digest"
)

const redacted = "[redacted]"

// Secret is a credential that no formatting, logging or marshalling shows: all
// of them give "[redacted]". The zero Secret is empty.
type Secret struct {
	// A function, because code that prints by reflection (fmt in unexported fields,
	// go-cmp, dumpers) calls no methods, follows pointers, and cannot look into
	// one. Nor can == compare it, which is not constant-time.
	reveal func() (string, digest.Digest)
}

// NewSecret returns a Secret that holds value.
func NewSecret(value string) Secret {
	d := digest.Of([]byte(value)) // One that is used for each call is compared in each.
	return Secret{reveal: func() (string, digest.Digest) { return value, d }}
}

// Reveal returns the credential itself.
func (s Secret) Reveal() string {
	if s.reveal == nil {
		return ""
	}
	value, _ := s.reveal()
	return value
}

// Equal reports whether both hold the same credential, in a time that depends on
// neither's content.
func (s Secret) Equal(other Secret) bool { return s.digest().Equal(other.digest()) }

func (s Secret) digest() digest.Digest {
	if s.reveal == nil {
		return digest.Of(nil)
	}
	_, d := s.reveal()
	return d
}

// String returns "[redacted]".
func (s Secret) String() string { return redacted }

// GoString returns "[redacted]".
func (s Secret) GoString() string { return redacted }

// Format writes "[redacted]" for every verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// MarshalJSON returns the JSON string "[redacted]".
func (s Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// MarshalText returns "[redacted]".
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// LogValue returns "[redacted]".
func (s Secret) LogValue() slog.Value { return slog.StringValue(redacted) }
