package record

import (
	"net/netip"
	"strings"
	"testing"

	"connectrpc.com/connect/v2"
	"pgregory.net/rapid"
)

func trusting(header string, networks ...string) Origins {
	o := Origins{Header: header}
	for _, network := range networks {
		o.Trusted = append(o.Trusted, netip.MustParsePrefix(network))
	}
	return o
}

func from(peer string, headers ...string) *connect.CallInfo {
	info := &connect.CallInfo{PeerAddr: peer}
	for i := 0; i < len(headers); i += 2 {
		info.RequestHeader().Add(headers[i], headers[i+1])
	}
	return info
}

// TestOrigins: the first address, going back from the connection, that is not a trusted
// proxy's.
func TestOrigins(t *testing.T) {
	t.Parallel()
	proxies := trusting(HeaderXForwardedFor, "10.0.0.0/8", "2001:db8::/32")
	standard := trusting(HeaderForwarded, "10.0.0.0/8")
	for name, test := range map[string]struct {
		origins         Origins
		info            *connect.CallInfo
		peer, forwarded string
	}{
		"no proxy":                              {proxies, from("192.0.2.1:1"), "192.0.2.1:1", ""},
		"a stranger that pretends":              {proxies, from("192.0.2.1:1", "X-Forwarded-For", "1.1.1.1"), "192.0.2.1:1", ""},
		"nobody is trusted":                     {Origins{Header: HeaderXForwardedFor}, from("10.0.0.1:1", "X-Forwarded-For", "1.1.1.1"), "10.0.0.1:1", ""},
		"a proxy":                               {proxies, from("10.0.0.1:1", "X-Forwarded-For", "203.0.113.7"), "10.0.0.1:1", "203.0.113.7"},
		"a client in front of it that pretends": {proxies, from("10.0.0.1:1", "X-Forwarded-For", "1.1.1.1, 203.0.113.7"), "10.0.0.1:1", "203.0.113.7"},
		"two proxies":                           {proxies, from("[2001:db8::1]:9", "X-Forwarded-For", "1.1.1.1,203.0.113.7, 10.2.3.4"), "[2001:db8::1]:9", "203.0.113.7"},
		"in two lines":                          {proxies, from("10.0.0.1:1", "X-Forwarded-For", "203.0.113.7", "X-Forwarded-For", "10.2.3.4"), "10.0.0.1:1", "203.0.113.7"},
		"all are proxies":                       {proxies, from("10.0.0.1:1", "X-Forwarded-For", "10.9.9.9, 10.2.3.4"), "10.0.0.1:1", "10.9.9.9"},
		"with a port":                           {proxies, from("10.0.0.1:1", "X-Forwarded-For", "203.0.113.7:443"), "10.0.0.1:1", "203.0.113.7"},
		"no address":                            {proxies, from("10.0.0.1:1", "X-Forwarded-For", "203.0.113.7, owner"), "10.0.0.1:1", ""},
		"an empty header":                       {proxies, from("10.0.0.1:1", "X-Forwarded-For", ""), "10.0.0.1:1", ""},
		"the other header":                      {proxies, from("10.0.0.1:1", "Forwarded", "for=203.0.113.7"), "10.0.0.1:1", ""},
		"mapped":                                {proxies, from("[::ffff:10.0.0.1]:1", "X-Forwarded-For", "::ffff:203.0.113.7"), "10.0.0.1:1", "203.0.113.7"},
		"with a zone":                           {proxies, from("[fe80::1%eth0]:1"), "[fe80::1]:1", ""},
		"no peer":                               {proxies, from("", "X-Forwarded-For", "203.0.113.7"), "", ""},
		"a socket":                              {proxies, from("@", "X-Forwarded-For", "203.0.113.7"), "", ""},
		"RFC 7239":                              {standard, from("10.0.0.1:1", "Forwarded", `for=1.1.1.1, For="203.0.113.7:47011";proto=https;by=10.0.0.2`), "10.0.0.1:1", "203.0.113.7"},
		"RFC 7239, version 6":                   {standard, from("10.0.0.1:1", "Forwarded", `for="[2001:db8:cafe::17]:4711"`), "10.0.0.1:1", "2001:db8:cafe::17"},
		"RFC 7239, hidden":                      {standard, from("10.0.0.1:1", "Forwarded", `for=1.1.1.1, for=_hidden`), "10.0.0.1:1", ""},
		"RFC 7239, without for":                 {standard, from("10.0.0.1:1", "Forwarded", `for=1.1.1.1, proto=https`), "10.0.0.1:1", ""},
		"far too long":                          {proxies, from("10.0.0.1:1", "X-Forwarded-For", strings.Repeat("1.1.1.1,", 5000)+"203.0.113.7"), "10.0.0.1:1", "203.0.113.7"},
	} {
		if peer, forwarded := test.origins.of(test.info); peer != test.peer || forwarded != test.forwarded {
			t.Errorf("%s: %q for %q, want %q for %q", name, peer, forwarded, test.peer, test.forwarded)
		}
	}
}

// TestForwardedBelievesNoStranger: whatever a client writes before what the proxy
// appends, the proxy's word stands; and nothing but addresses comes out.
func TestForwardedBelievesNoStranger(t *testing.T) {
	t.Parallel()
	for header, appended := range map[string]string{HeaderXForwardedFor: "203.0.113.7", HeaderForwarded: "for=203.0.113.7"} {
		o := trusting(header, "10.0.0.0/8")
		rapid.Check(t, func(t *rapid.T) {
			before := rapid.OneOf(rapid.String(), rapid.StringMatching(`(for=|"|\[|\]|,|;|1\.1\.1\.1| |:)*`)).Draw(t, "before")
			if _, forwarded := o.of(from("10.0.0.1:1", header, before+", "+appended)); forwarded != "203.0.113.7" {
				t.Fatalf("%q makes it %q", before, forwarded)
			}
			_, forwarded := o.of(from("10.0.0.1:1", header, before))
			if _, err := netip.ParseAddr(forwarded); forwarded != "" && err != nil {
				t.Fatalf("%q makes it %q", before, forwarded)
			}
		})
	}
}
