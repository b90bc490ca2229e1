package money

import (
	"math/big"
	"testing"

	"pgregory.net/rapid"
)

// TestSum: sums of the upstream's decimal numbers lose nothing.
func TestSum(t *testing.T) {
	t.Parallel()
	var s Sum
	for range 10 {
		if !s.Add("0.100000000000000001") {
			t.Fatal("an amount is none")
		}
	}
	s.Add("1234567")
	if s.Exact() != "1234568.00000000000000001" || s.String() != "1,234,568.00" {
		t.Errorf("%s, %s", s.Exact(), s.String())
	}
	s.AddCents(-123456800)
	if s.Exact() != "0.00000000000000001" || s.IsZero() {
		t.Errorf("%s", s.Exact())
	}
	if third := s.Scaled(1, 3).Exact(); third != "0.000000000000000003333333333333333333" {
		t.Errorf("a third is %s", third)
	}
	if !s.Scaled(1, 0).IsZero() || s.PartOf(new(Sum)) != 0 {
		t.Error("a part of nothing is something")
	}
}

// TestAmounts: what is an amount, and what is none.
func TestAmounts(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"12": "12.00", "0.005": "0.01", "-3.5": "-3.50", "1e3": "1,000.00", "2.5E-1": "0.25", "999999.995": "1,000,000.00", "-1234.5": "-1,234.50", "": "",
		"1/3": "", "0x10": "", "1_000": "", "NaN": "", "Inf": "", "1e999999999": "", "1e100": "", " 1": "", "one": "", "--1": "", "1.2.3": "",
	} {
		var s Sum
		ok := s.Add(text)
		if ok != (want != "") || ok && s.String() != want || !ok && !s.IsZero() {
			t.Errorf("%q: %t, %s, want %q", text, ok, s.String(), want)
		}
	}
}

// TestSumsAreExact compares with big.Rat.
func TestSumsAreExact(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var s Sum
		want := new(big.Rat)
		for _, text := range rapid.SliceOf(rapid.StringMatching(`-?[0-9]{1,12}(\.[0-9]{1,18})?`)).Draw(t, "amounts") {
			value, _ := new(big.Rat).SetString(text)
			want.Add(want, value)
			if !s.Add(text) {
				t.Fatalf("%q is none", text)
			}
		}
		got, ok := new(big.Rat).SetString(s.Exact())
		if !ok || got.Cmp(want) != 0 {
			t.Fatalf("%s, want %s", s.Exact(), want.RatString())
		}
	})
}
