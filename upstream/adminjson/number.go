package adminjson

import (
	"math"
	"strconv"
)

// isNumber says whether s is a JSON number and nothing else.
func isNumber(s []byte) bool {
	i := 0
	digits := func() bool {
		start := i
		for i < len(s) && s[i]-'0' <= 9 {
			i++
		}
		return i > start
	}
	if i < len(s) && s[i] == '-' {
		i++
	}
	if start := i; !digits() || s[start] == '0' && i > start+1 {
		return false
	}
	if i < len(s) && s[i] == '.' {
		if i++; !digits() {
			return false
		}
	}
	if i < len(s) && s[i]|0x20 == 'e' {
		if i++; i < len(s) && (s[i] == '+' || s[i] == '-') {
			i++
		}
		if !digits() {
			return false
		}
	}
	return i == len(s)
}

// number is the exact value of a JSON number: ±0.digits × 10^point, without
// zeros at either end. Zero has no digits.
type number struct {
	negative bool
	digits   []byte
	point    int
}

// maxExponent is beyond every exponent that matters here, and far from where
// the sum of two overflows.
const maxExponent = 1 << 30

// parseNumber takes a valid JSON number apart. It appends the digits to scratch,
// for which 32 bytes are nearly always enough.
func parseNumber(s, scratch []byte) number {
	n := number{digits: scratch[:0]}
	if s[0] == '-' {
		n.negative, s = true, s[1:]
	}
	fraction := false
	for i, c := range s {
		switch {
		case c == '.':
			fraction = true
		case c|0x20 == 'e':
			n.point += exponent(s[i+1:])
			return n.trim()
		default:
			if !fraction && (c != '0' || len(n.digits) > 0) {
				n.point++
			}
			if c == '0' && len(n.digits) == 0 {
				if fraction {
					n.point--
				}
				continue
			}
			n.digits = append(n.digits, c)
		}
	}
	return n.trim()
}

func (n number) trim() number {
	for len(n.digits) > 0 && n.digits[len(n.digits)-1] == '0' {
		n.digits = n.digits[:len(n.digits)-1]
	}
	if len(n.digits) == 0 {
		n.point = 0
	}
	return n
}

// exponent reads what follows the "e", bounded to ±maxExponent.
func exponent(s []byte) int {
	negative := s[0] == '-'
	if negative || s[0] == '+' {
		s = s[1:]
	}
	e := 0
	for _, c := range s {
		e = min(e*10+int(c-'0'), maxExponent)
	}
	if negative {
		return -e
	}
	return e
}

// integral says whether the number has no fraction.
func (n number) integral() bool { return n.point >= len(n.digits) }

// whole is the absolute value without the fraction; ok is false when it does
// not fit.
func (n number) whole() (v uint64, ok bool) {
	if n.point > 20 {
		return 0, false
	}
	for i := range max(n.point, 0) {
		var c byte
		if i < len(n.digits) {
			c = n.digits[i] - '0'
		}
		if v > (math.MaxUint64-uint64(c))/10 {
			return 0, false
		}
		v = v*10 + uint64(c)
	}
	return v, true
}

// nanos is the first nine digits after the point; what follows them is cut off.
func (n number) nanos() uint32 {
	var v uint32
	for i := range 9 {
		v *= 10
		if at := n.point + i; at >= 0 && at < len(n.digits) {
			v += uint32(n.digits[at] - '0')
		}
	}
	return v
}

// parseInt reads a JSON number as an integer between lowest and highest (as an
// absolute value with a sign of its own each). The reason is empty when it is one.
func parseInt(s []byte, lowest int64, highest uint64) (v uint64, reason string) {
	if s[0] != '-' && len(s) <= 18 {
		for _, c := range s {
			if c-'0' > 9 {
				return parseAnyInt(s, lowest, highest)
			}
			v = v*10 + uint64(c-'0')
		}
		if v > highest {
			return 0, reasonRange
		}
		return v, ""
	}
	return parseAnyInt(s, lowest, highest)
}

func parseAnyInt(s []byte, lowest int64, highest uint64) (v uint64, reason string) {
	var scratch [32]byte
	n := parseNumber(s, scratch[:])
	if !n.integral() {
		return 0, reasonWhole
	}
	v, ok := n.whole()
	if !ok {
		return 0, reasonRange
	}
	if n.negative {
		// -lowest of the lowest int64 is itself, and 1<<63 as unsigned.
		if v > uint64(-lowest) {
			return 0, reasonRange
		}
		return -v, ""
	}
	if v > highest {
		return 0, reasonRange
	}
	return v, ""
}

// The first and the last second that a google.protobuf.Timestamp may hold:
// 0001-01-01T00:00:00Z and 9999-12-31T23:59:59Z.
const (
	minTimestamp = -62135596800
	maxTimestamp = 253402300799
)

// parseUnix reads a JSON number as seconds since 1970. The reason is empty when
// it is a time that a Timestamp can hold.
func parseUnix(s []byte) (seconds int64, nanos uint32, reason string) {
	if v, reason := parseInt(s, minTimestamp, maxTimestamp); reason == "" {
		return int64(v), 0, ""
	}
	var scratch [32]byte
	n := parseNumber(s, scratch[:])
	whole, ok := n.whole()
	if !ok || whole > maxTimestamp {
		return 0, 0, reasonRange
	}
	seconds, nanos = int64(whole), n.nanos()
	if n.negative {
		seconds = -seconds
		if nanos > 0 {
			seconds, nanos = seconds-1, 1e9-nanos
		}
	}
	if seconds < minTimestamp {
		return 0, 0, reasonRange
	}
	return seconds, nanos, ""
}

// parseDouble reads a JSON number as the nearest double.
func parseDouble(s []byte) (v uint64, reason string) {
	f, err := strconv.ParseFloat(string(s), 64)
	if err != nil {
		return 0, reasonRange
	}
	return math.Float64bits(f), ""
}

// appendDouble writes a finite double as the shortest number that reads as it.
func appendDouble(dst []byte, f float64) []byte {
	format := byte('f')
	if a := math.Abs(f); a != 0 && (a < 1e-6 || a >= 1e21) {
		format = 'e'
	}
	return strconv.AppendFloat(dst, f, format, -1, 64)
}
