package money

import (
	"math/big"
	"strings"
)

const (
	// maxDigits bounds the text of an amount.
	maxDigits = 64
	// places are the decimals that a sum has: more than the upstream sends.
	places = 36
)

// Sum is a sum of money. The zero value is 0.
type Sum struct {
	value big.Int // in units of 10^-places
}

// unit is 1.
func unit() *big.Int { return new(big.Int).Exp(big.NewInt(10), big.NewInt(places), nil) }

// Add adds an amount as the upstream writes it, such as "12.340000000000000001". It is
// false, and adds nothing, for a text that is not a decimal number, or has more than 36
// decimals.
func (s *Sum) Add(amount string) bool {
	value, ok := parse(amount)
	if ok {
		s.value.Add(&s.value, value)
	}
	return ok
}

// AddSum adds another sum.
func (s *Sum) AddSum(other *Sum) { s.value.Add(&s.value, &other.value) }

// AddCents adds an amount in hundredths.
func (s *Sum) AddCents(cents int64) {
	value := new(big.Int).Mul(big.NewInt(cents), unit())
	s.value.Add(&s.value, value.Quo(value, big.NewInt(100)))
}

// Scaled is the sum times n by d, to 36 decimals; 0 where d is 0.
func (s *Sum) Scaled(n, d int64) *Sum {
	scaled := new(Sum)
	if d != 0 {
		scaled.value.Mul(&s.value, big.NewInt(n))
		scaled.value.Quo(&scaled.value, big.NewInt(d))
	}
	return scaled
}

// Cmp compares two sums: -1, 0 or 1.
func (s *Sum) Cmp(other *Sum) int { return s.value.Cmp(&other.value) }

// IsZero says whether the sum is 0.
func (s *Sum) IsZero() bool { return s.value.Sign() == 0 }

// Float is the sum for a drawing, where digits do not matter.
func (s *Sum) Float() float64 {
	f, _ := new(big.Float).SetInt(&s.value).Float64()
	return f / 1e36
}

// PartOf is the sum as a part of another, for a drawing; 0 of nothing.
func (s *Sum) PartOf(whole *Sum) float64 {
	if whole.IsZero() {
		return 0
	}
	f, _ := new(big.Rat).SetFrac(&s.value, &whole.value).Float64()
	return f
}

// String is the sum with two decimals and its thousands apart, such as "1,234.50".
func (s *Sum) String() string {
	text := new(big.Rat).SetFrac(&s.value, unit()).FloatString(2)
	sign := ""
	if strings.HasPrefix(text, "-") {
		sign, text = "-", text[1:]
	}
	whole, decimals, _ := strings.Cut(text, ".")
	return sign + grouped(whole) + "." + decimals
}

// Exact is the sum with all its digits, for other programs.
func (s *Sum) Exact() string {
	text := new(big.Int).Abs(&s.value).String()
	if missing := places + 1 - len(text); missing > 0 {
		text = strings.Repeat("0", missing) + text
	}
	whole, decimals := text[:len(text)-places], strings.TrimRight(text[len(text)-places:], "0")
	if decimals != "" {
		whole += "." + decimals
	}
	if s.value.Sign() < 0 {
		return "-" + whole
	}
	return whole
}

// grouped sets the thousands of a whole number apart.
func grouped(digits string) string {
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// parse reads a decimal number, in units.
func parse(text string) (*big.Int, bool) {
	if text == "" || len(text) > maxDigits {
		return nil, false
	}
	mantissa, exponent, scientific := strings.Cut(strings.ToLower(text), "e")
	if strings.Trim(mantissa, "0123456789.-+") != "" || scientific && len(strings.TrimLeft(exponent, "+-")) > 2 {
		return nil, false
	}
	if scientific {
		value, ok := new(big.Rat).SetString(text)
		if !ok || !value.Mul(value, new(big.Rat).SetInt(unit())).IsInt() {
			return nil, false
		}
		return value.Num(), true
	}
	whole, decimals, _ := strings.Cut(mantissa, ".")
	if whole+decimals == "" || len(decimals) > places || strings.Trim(decimals, "0123456789") != "" {
		return nil, false
	}
	return new(big.Int).SetString(whole+decimals+zeros[:places-len(decimals)], 10)
}

// zeros pad decimals.
const zeros = "000000000000000000000000000000000000"
