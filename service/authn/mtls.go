package authn

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/url"
	"strings"
	"time"

	"github.com/spiffe/go-spiffe/v2/spiffeid"
)

// certificateAt finds the caller to whom the client certificate of a connection
// belongs. A connection may outlive the certificate with which it was opened, so
// it has to be valid now, at each call.
//
// It trusts VerifiedChains and nothing else. Only crypto/tls fills them, after
// it has verified the certificate against ClientCAs; PeerCertificates hold
// whatever the client chose to send. The configurations of [NewTLS] and
// [NewSPIFFE] both leave the verification to crypto/tls, so that no flag has to
// say what was verified and how. A configuration that merely requests
// certificates leaves VerifiedChains empty, and then no certificate
// authenticates a caller.
//
// Errors are *Error. Without TLS, or without a client certificate, the reason is
// [ReasonNoCredential].
func (t *Table) certificateAt(state *tls.ConnectionState, now time.Time) (Identity, error) {
	if state == nil || len(state.PeerCertificates) == 0 {
		return Identity{}, refuse(ReasonNoCredential)
	}
	if len(state.VerifiedChains) == 0 {
		return Identity{}, unknownCertificate("the certificate was not verified")
	}
	return t.certificate(&verifiedCertificate{state.VerifiedChains}, now)
}

// certificate finds the caller of a certificate that was verified.
func (t *Table) certificate(c *verifiedCertificate, now time.Time) (Identity, error) {
	if !anyChainValidAt(c.chains, now) {
		return Identity{}, unknownCertificate("the certificate, or one of its issuers, has expired or is not valid yet")
	}
	// All chains begin with the one certificate that the client holds the key of.
	leaf := c.chains[0][0]
	identity, err := t.named(leaf)
	if err != nil {
		return Identity{}, presenting(err, firstName(leaf)+"#"+serialNumber(leaf))
	}
	identity.CredentialID += "#" + serialNumber(leaf)
	identity.Expires = lastValid(c.chains, now)
	identity.credential = c
	return identity, nil
}

// firstName is the first alternative name of a certificate of which no caller has one; ""
// where it has none.
func firstName(leaf *x509.Certificate) string {
	switch {
	case len(leaf.URIs) > 0:
		return leaf.URIs[0].String()
	case len(leaf.DNSNames) > 0:
		return leaf.DNSNames[0]
	}
	return ""
}

// serialNumber is the serial number of a certificate in hex, of which authorities give at
// most 20 bytes (RFC 5280, 4.1.2.2).
func serialNumber(leaf *x509.Certificate) string {
	const most = 40
	text := leaf.SerialNumber.Text(16)
	return text[:min(len(text), most)]
}

// lastValid is just behind the last instant at which one of the chains that are valid
// now is.
func lastValid(chains [][]*x509.Certificate, now time.Time) (last time.Time) {
	for _, chain := range chains {
		if !chainValidAt(chain, now) {
			continue
		}
		end := chain[0].NotAfter
		for _, issuer := range chain[1:] {
			if issuer.NotAfter.Before(end) {
				end = issuer.NotAfter
			}
		}
		if end.After(last) {
			last = end
		}
	}
	return last.Add(time.Nanosecond)
}

// named finds the caller by the names in a verified certificate. The subject's
// common name is not one of them.
func (t *Table) named(leaf *x509.Certificate) (Identity, error) {
	if id, ok := spiffeURI(leaf); ok {
		return t.svid(leaf, id)
	}
	found := t.alternativeNames(leaf)
	switch {
	case found.caller == "":
		return Identity{}, refuse(ReasonUnknownCertificate)
	case found.several:
		return Identity{}, refuse(ReasonAmbiguous)
	default:
		return Identity{Caller: found.caller, Method: found.method, CredentialID: found.name}, nil
	}
}

// svid finds the caller by the SPIFFE ID alone. A trust domain's authority is
// trusted for the SPIFFE IDs of its domain only; it may write any DNS names and
// other URIs into a certificate, and a federated domain must not become a local
// caller by doing so. A name that belongs to another caller is a reason to
// refuse, though.
func (t *Table) svid(leaf *x509.Certificate, uri *url.URL) (Identity, error) {
	// An X.509 SVID has one URI. With several, the one that is meant is unknown.
	if len(leaf.URIs) != 1 {
		return Identity{}, refuse(ReasonAmbiguous)
	}
	id, err := spiffeid.FromURI(uri)
	if err != nil {
		return Identity{}, unknownCertificate("its SPIFFE ID is malformed")
	}
	caller, ok := t.spiffe[id.String()]
	if !ok {
		return Identity{}, refuse(ReasonUnknownCertificate)
	}
	if others := t.alternativeNames(leaf); others.several || others.caller != "" && others.caller != caller {
		return Identity{}, refuse(ReasonAmbiguous)
	}
	return Identity{Caller: caller, Method: MethodSPIFFEID, CredentialID: id.String()}, nil
}

// match is the result of a look-up of all alternative names.
type match struct {
	caller  string // of the first that is known; "" when none is
	method  string
	name    string // by which it is known
	several bool   // they lead to more than one caller
}

// alternativeNames looks up all URIs and DNS names of a certificate, URIs first.
// A name with a wildcard equals no caller's name.
func (t *Table) alternativeNames(leaf *x509.Certificate) match {
	var m match
	see := func(caller, method, name string) {
		switch m.caller {
		case caller:
		case "":
			m.caller, m.method, m.name = caller, method, name
		default:
			m.several = true
		}
	}
	for _, uri := range leaf.URIs {
		if caller, ok := t.uris[uri.String()]; ok {
			see(caller, MethodURISAN, uri.String())
		}
	}
	for _, name := range leaf.DNSNames {
		if caller, ok := t.dns[strings.ToLower(name)]; ok {
			see(caller, MethodDNSSAN, strings.ToLower(name))
		}
	}
	return m
}

// spiffeURI returns the first URI of the certificate that has the scheme of a
// SPIFFE ID, well-formed or not.
func spiffeURI(leaf *x509.Certificate) (*url.URL, bool) {
	for _, uri := range leaf.URIs {
		if strings.EqualFold(uri.Scheme, "spiffe") {
			return uri, true
		}
	}
	return nil, false
}

// anyChainValidAt tells whether there is a chain whose certificates, from the
// client's to the root, are all valid at now.
func anyChainValidAt(chains [][]*x509.Certificate, now time.Time) bool {
	for _, chain := range chains {
		if chainValidAt(chain, now) {
			return true
		}
	}
	return false
}

func chainValidAt(chain []*x509.Certificate, now time.Time) bool {
	for _, certificate := range chain {
		if now.Before(certificate.NotBefore) || now.After(certificate.NotAfter) {
			return false
		}
	}
	return len(chain) > 0
}

// unknownCertificate refuses with a cause for the log. The cause names nothing
// of the certificate: its contents are the client's choice.
func unknownCertificate(cause string) *Error {
	return &Error{Reason: ReasonUnknownCertificate, Err: errors.New(cause)}
}
