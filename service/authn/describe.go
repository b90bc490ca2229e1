package authn

import (
	"cmp"
	"slices"
	"time"
)

// Description is a credential of the policy for people. Nothing can be authenticated with
// it.
type Description struct {
	// Kind is the method by which it authenticates: [MethodToken], [MethodJWT],
	// [MethodSPIFFEID], [MethodURISAN] or [MethodDNSSAN].
	Kind string
	// ID names it: of a token the first 12 hex digits of its SHA-256, of a JWT the subject,
	// of a certificate the name that is looked for.
	ID string
	// Issuer is that of a JWT.
	Issuer string
	// Expires is when a token ceases to be accepted; zero: never.
	Expires time.Time
}

// Describe describes the credentials of a caller, sorted by kind and ID. It looks at all
// of the table, which is for finding callers by their credentials: that is for a person's
// question, and not for each call.
func (t *Table) Describe(caller string) []Description {
	if t == nil {
		return nil
	}
	var list []Description
	for i := range t.entries.Len() {
		if entry := t.entries.At(i); entry.caller == caller {
			list = append(list, Description{Kind: MethodToken, ID: entry.id, Expires: entry.expires})
		}
	}
	for subject, of := range t.subjects {
		if of == caller {
			list = append(list, Description{Kind: MethodJWT, ID: subject.Subject, Issuer: subject.Issuer})
		}
	}
	for _, names := range []struct {
		kind  string
		names map[string]string
	}{{MethodSPIFFEID, t.spiffe}, {MethodURISAN, t.uris}, {MethodDNSSAN, t.dns}} {
		for name, of := range names.names {
			if of == caller {
				list = append(list, Description{Kind: names.kind, ID: name})
			}
		}
	}
	slices.SortFunc(list, func(a, b Description) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Issuer, b.Issuer), cmp.Compare(a.ID, b.ID))
	})
	return list
}
