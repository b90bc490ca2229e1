package seal

import (
	"bytes"
	"strings"
	"testing"
)

func key(n byte) []byte { return bytes.Repeat([]byte{n}, KeyBytes) }

func newSealer(tb testing.TB, keys ...byte) Sealer {
	tb.Helper()
	var raw [][]byte
	for _, n := range keys {
		raw = append(raw, key(n))
	}
	s, err := New(raw)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

func TestOpen(t *testing.T) {
	t.Parallel()
	body, associated := []byte("body"), []byte("associated")
	sealed := newSealer(t, 1).Seal(body, associated)
	if bytes.Contains(sealed, body) || sealed[0] != Version {
		t.Errorf("sealed as %q", sealed)
	}
	if again := newSealer(t, 1).Seal(body, associated); bytes.Equal(again, sealed) {
		t.Error("sealed twice with one nonce")
	}
	change := func(i int, bits byte) []byte {
		changed := bytes.Clone(sealed)
		changed[i] ^= bits
		return changed
	}
	for name, test := range map[string]struct {
		sealer     Sealer
		sealed     []byte
		associated string
		ok         bool
	}{
		"the key":            {newSealer(t, 1), sealed, "associated", true},
		"the key second":     {newSealer(t, 2, 1), sealed, "associated", true},
		"another key":        {newSealer(t, 2), sealed, "associated", false},
		"other associated":   {newSealer(t, 1), sealed, "another's", false},
		"another version":    {newSealer(t, 1), change(0, 1), "associated", false},
		"a changed nonce":    {newSealer(t, 1), change(1, 1), "associated", false},
		"a changed last bit": {newSealer(t, 1), change(len(sealed)-1, 1), "associated", false},
		"cut off":            {newSealer(t, 1), sealed[:len(sealed)-1], "associated", false},
		"only a version":     {newSealer(t, 1), sealed[:1], "associated", false},
		"empty":              {newSealer(t, 1), nil, "associated", false},
	} {
		got, ok := test.sealer.Open(test.sealed, []byte(test.associated))
		if ok != test.ok || ok && !bytes.Equal(got, body) {
			t.Errorf("%s: %q, %v", name, got, ok)
		}
	}
}

func TestNewRefusesKeys(t *testing.T) {
	t.Parallel()
	secret := []byte("not-thirty-two-bytes-but-secret")
	for name, keys := range map[string][][]byte{
		"none": nil, "short": {secret}, "short second": {key(1), secret}, "empty": {{}},
		"three": {key(1), key(2), key(3)},
	} {
		if _, err := New(keys); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
