package data

import (
	"math/big"
	"testing"
)

func TestDecimal(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ atto, want string }{
		{"0", "0.000000000000000000"},
		{"1", "0.000000000000000001"},
		{"1000000000000000000", "1.000000000000000000"},
		{"12345678901234567890123", "12345.678901234567890123"},
	} {
		n, _ := new(big.Int).SetString(tt.atto, 10)
		if got := decimal(n); got != tt.want {
			t.Errorf("decimal(%s) = %s, want %s", tt.atto, got, tt.want)
		}
	}
}
