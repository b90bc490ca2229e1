package config

import (
	"errors"
	"strconv"
	"strings"
)

// ByteSize is a number of bytes, written as 64MiB, 512KiB, 1GiB or 1000000.
type ByteSize int64

var errNoSize = errors.New("not a size")

// Form describes the notation, for error messages and the reference.
func (ByteSize) Form() string { return "a size such as 64MiB" }

// String returns the notation that UnmarshalText reads.
func (b ByteSize) String() string {
	for _, unit := range []struct {
		name  string
		bytes ByteSize
	}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}} {
		if b > 0 && b%unit.bytes == 0 {
			return strconv.FormatInt(int64(b/unit.bytes), 10) + unit.name
		}
	}
	return strconv.FormatInt(int64(b), 10)
}

// UnmarshalText reads a size.
func (b *ByteSize) UnmarshalText(text []byte) error {
	number, factor := string(text), int64(1)
	for unit, value := range map[string]int64{"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30} {
		if before, ok := strings.CutSuffix(number, unit); ok {
			number, factor = before, value
			break
		}
	}
	n, err := strconv.ParseInt(number, 10, 32)
	if err != nil || n < 0 {
		return errNoSize
	}
	*b = ByteSize(n * factor)
	return nil
}
