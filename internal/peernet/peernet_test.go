package peernet_test

import (
	"testing"

	"github.com/admin-gateway/admin-gateway/internal/peernet"
)

func TestOf(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"192.0.2.1:1234":          "192.0.2.1",
		"[::ffff:192.0.2.1]:1234": "192.0.2.1",
		"[2001:db8::1]:1":         "2001:db8::",
		"[2001:db8::ffff]:2":      "2001:db8::",
		"[fe80::1%eth0]:2":        "fe80::",
		"":                        "invalid IP",
		"pipe":                    "invalid IP",
	} {
		if got := peernet.Of(address).String(); got != want {
			t.Errorf("%q is %s, want %s", address, got, want)
		}
	}
}

func TestOfHost(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"192.0.2.1":        "192.0.2.1",
		"::ffff:192.0.2.1": "192.0.2.1",
		"2001:db8::1":      "2001:db8::",
		"2001:db8::ffff":   "2001:db8::",
		"2001:db8:0:1::1":  "2001:db8:0:1::",
		"fe80::1%eth0":     "fe80::",
		"192.0.2.1:1234":   "invalid IP",
		"":                 "invalid IP",
		"unknown":          "invalid IP",
	} {
		if got := peernet.OfHost(address).String(); got != want {
			t.Errorf("%q is %s, want %s", address, got, want)
		}
	}
}
