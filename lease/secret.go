package lease

import (
	"encoding/json"
	"fmt"
	"log/slog"
)

// placeholder is what is printed of a secret.
const placeholder = "[secret]"

// Secret is a key that must appear nowhere but with whom it is for. Whatever formats,
// logs or encodes it gets a placeholder; [Secret.Reveal] is the one way to the key.
type Secret struct {
	value *[]byte // A pointer: reflection that prints fields prints an address.
}

// NewSecret returns value as a secret. An empty value is none.
func NewSecret(value []byte) Secret {
	if len(value) == 0 {
		return Secret{}
	}
	return Secret{&value}
}

// IsZero tells whether there is no secret.
func (s Secret) IsZero() bool { return s.value == nil }

// Reveal returns the key. It must not be modified.
func (s Secret) Reveal() []byte {
	if s.value == nil {
		return nil
	}
	return *s.value
}

// String implements fmt.Stringer, with a placeholder.
func (s Secret) String() string { return placeholder }

// Format implements fmt.Formatter, with a placeholder for every verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(placeholder)) }

// LogValue implements slog.LogValuer, with a placeholder.
func (s Secret) LogValue() slog.Value { return slog.StringValue(placeholder) }

// MarshalJSON implements json.Marshaler, with a placeholder.
func (s Secret) MarshalJSON() ([]byte, error) { return json.Marshal(placeholder) }

// MarshalText implements encoding.TextMarshaler, with a placeholder.
func (s Secret) MarshalText() ([]byte, error) { return []byte(placeholder), nil }
