package cache

import (
	"bytes"
	"errors"
	"testing"

	"pgregory.net/rapid"
)

func TestPack(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		origin := bytes.Repeat(rapid.SliceOf(rapid.Byte()).Draw(t, "part"), rapid.IntRange(0, 40).Draw(t, "times"))
		packed := pack(origin)
		got, err := unpack(packed)
		if err != nil || !bytes.Equal(got, origin) || unpackedSize(packed) != len(origin) {
			t.Fatalf("%q became %q, %v", origin, got, err)
		}
		if len(packed) > len(origin)+1 {
			t.Fatalf("%d bytes became %d", len(origin), len(packed))
		}
	})
	large := pack(make([]byte, MaxBodyBytes+1))
	for name, packed := range map[string][]byte{
		"nothing": nil, "another packing": {9, 1}, "damaged": {packedS2, 200, 1, 7}, "too large": large,
	} {
		if got, err := unpack(packed); !errors.Is(err, errMalformed) {
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
	}
}
