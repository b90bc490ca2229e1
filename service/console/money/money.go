package money

import (
	"math/big"
	"strings"
)

// maxDigits bounds the text of an amount.
const maxDigits = 64

// Sum is a sum of money. The zero value is 0.
type Sum struct{ value big.Rat }

// Add adds an amount as the upstream writes it, such as "12.340000000000000001". It is
// false, and adds nothing, for a text that is not a decimal number.
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
func (s *Sum) AddCents(cents int64) { s.value.Add(&s.value, big.NewRat(cents, 100)) }

// Scaled is the sum times n by d; 0 where d is 0.
func (s *Sum) Scaled(n, d int64) *Sum {
	scaled := new(Sum)
	if d != 0 {
		scaled.value.Mul(&s.value, big.NewRat(n, d))
	}
	return scaled
}

// Cmp compares two sums: -1, 0 or 1.
func (s *Sum) Cmp(other *Sum) int { return s.value.Cmp(&other.value) }

// IsZero says whether the sum is 0.
func (s *Sum) IsZero() bool { return s.value.Sign() == 0 }

// Float is the sum for a drawing, where digits do not matter.
func (s *Sum) Float() float64 {
	f, _ := s.value.Float64()
	return f
}

// PartOf is the sum as a part of another, for a drawing; 0 of nothing.
func (s *Sum) PartOf(whole *Sum) float64 {
	if whole.IsZero() {
		return 0
	}
	f, _ := new(big.Rat).Quo(&s.value, &whole.value).Float64()
	return f
}

// String is the sum with two decimals and its thousands apart, such as "1,234.50".
func (s *Sum) String() string {
	text := s.value.FloatString(2)
	sign := ""
	if strings.HasPrefix(text, "-") {
		sign, text = "-", text[1:]
	}
	whole, decimals, _ := strings.Cut(text, ".")
	return sign + grouped(whole) + "." + decimals
}

// Exact is the sum with all its digits, for other programs.
func (s *Sum) Exact() string {
	// Sums of decimal numbers are decimal numbers; a scaled one may have no end.
	digits, exact := s.value.FloatPrec()
	if !exact {
		digits = 18
	}
	return s.value.FloatString(digits)
}

// grouped sets the thousands of a whole number apart.
func grouped(digits string) string {
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// parse reads a decimal number. big.Rat takes fractions and large exponents too, which
// no amount has.
func parse(text string) (*big.Rat, bool) {
	if text == "" || len(text) > maxDigits {
		return nil, false
	}
	mantissa, exponent, scientific := strings.Cut(strings.ToLower(text), "e")
	if strings.Trim(mantissa, "0123456789.-+") != "" || scientific && len(strings.TrimLeft(exponent, "+-")) > 2 {
		return nil, false
	}
	return new(big.Rat).SetString(text)
}
