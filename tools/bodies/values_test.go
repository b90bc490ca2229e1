package bodies

import (
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
)

// Instants that a message can hold, in Unix seconds: the years 1 to 9999.
const (
	firstInstant = -62135596800
	lastInstant  = 253402300799
)

// pick is one of several values.
func pick[T any](r *rand.Rand, values ...T) T { return values[r.IntN(len(values))] }

// whole is an integer between bounds: one of those where a type or a spelling ends, or
// any.
func whole(r *rand.Rand, low, high int64) string {
	if r.IntN(2) == 0 {
		for range 4 {
			v := pick(r, 0, 1, -1, math.MaxInt32, math.MaxInt32+1, math.MinInt32, 1<<53, 1<<53+1, math.MaxInt64, math.MinInt64, low, high)
			if v >= low && v <= high {
				return strconv.FormatInt(v, 10)
			}
		}
	}
	v := int64(r.Uint64() >> r.IntN(64))
	if span := uint64(high-low) + 1; span != 0 {
		v = low + int64(uint64(v)%span)
	}
	return strconv.FormatInt(v, 10)
}

// spelled spells an integer, as an answer may with a fraction of zero.
func spelled(r *rand.Rand, literal string, fraction bool) string {
	if fraction && r.IntN(16) == 0 {
		return literal + pick(r, ".0", ".000", "e0", "E+0")
	}
	return literal
}

// float is a number that a float of 64 bits holds exactly.
func float(r *rand.Rand) string {
	v := pick(r, 0, 1, -1, 0.1, 1e-7, 1e21, 5e-324, math.MaxFloat64, 1<<53, -2.5, r.NormFloat64(), r.ExpFloat64()*1e9)
	return strconv.FormatFloat(v, pick(r, byte('g'), 'e'), -1, 64)
}

// digits is a decimal that no float holds.
func digits(r *rand.Rand) string {
	var b strings.Builder
	if r.IntN(3) == 0 {
		b.WriteByte('-')
	}
	b.WriteString(strconv.Itoa(r.IntN(1000)))
	if r.IntN(4) > 0 {
		b.WriteByte('.')
		for range 1 + r.IntN(25) {
			b.WriteByte(byte('0' + r.IntN(10)))
		}
	}
	return b.String()
}

// words is any string.
func words(r *rand.Rand) string {
	switch r.IntN(12) {
	case 0:
		return ""
	case 1:
		return pick(r, "null", "0", "true", "[]", "{}", " ", "\u0000", "\u2028", "\ufeff", "\ufffd", "</script>", `\`, `"`, "\r\n\t\b\f")
	case 2:
		return strings.Repeat(pick(r, "x", "é", "𝄞", "\\", "\n"), 1+r.IntN(300))
	}
	var b strings.Builder
	for range 1 + r.IntN(12) {
		switch r.IntN(10) {
		case 0:
			b.WriteRune(pick(r, '𝄞', '😀', 'é', 'ß', '漢', 'ı', '\u007f', '\u0001'))
		case 1:
			b.WriteByte(byte(' ' + r.IntN(95)))
		default:
			b.WriteByte("abcdefghijklmnopqrstuvwxyz_0123456789"[r.IntN(37)])
		}
	}
	return b.String()
}

// spelling is a string of some characters, and not a folder.
func spelling(r *rand.Rand, alphabet string) string {
	b := []byte{alphabet[0]}
	for range r.IntN(20) {
		b = append(b, alphabet[r.IntN(len(alphabet))])
	}
	return string(b)
}

// anything is a JSON value of any shape.
func anything(r *rand.Rand, depth int) *node {
	most := 6
	if depth > 2 {
		most = 4 // No objects and arrays.
	}
	switch r.IntN(most) {
	case 0:
		return &node{kind: null}
	case 1:
		return &node{kind: boolean, text: pick(r, "true", "false")}
	case 2:
		return &node{kind: number, text: float(r)}
	case 3:
		return &node{kind: text, text: words(r)}
	case 4:
		n := &node{kind: array}
		for range r.IntN(4) {
			n.items = append(n.items, anything(r, depth+1))
		}
		return n
	default:
		return anyObject(r, depth)
	}
}

// anyObject is an object with members of any name.
func anyObject(r *rand.Rand, depth int) *node {
	n := &node{kind: structure, open: true}
	for range r.IntN(4) {
		if name := words(r); n.member(name) == nil {
			n.members = append(n.members, member{name: name, value: anything(r, depth+1)})
		}
	}
	return n
}
