package callers

import (
	"errors"
	"strings"

	"github.com/admin-gateway/admin-gateway/internal/strictyaml"
	"github.com/admin-gateway/admin-gateway/service/authn"
	"github.com/admin-gateway/admin-gateway/service/authz"
)

// maxFaults bounds how many faults of a policy are returned at once.
const maxFaults = 100

// located gives the faults that the compilers found their places in the file.
func located(doc *strictyaml.Document, err error) []error {
	if err == nil {
		return nil
	}
	var places []error
	for _, fault := range unjoin(err) {
		var (
			credential *authn.Fault
			grant      *authz.Fault
		)
		switch {
		case errors.As(fault, &credential):
			path := []any{"callers", credential.Caller}
			if credential.Credential >= 0 {
				path = append(path, "authenticate", credential.Credential)
			}
			places = append(places, doc.Fault(labelled(credential.Field, credential.Reason), append(path, keyPath(credential.Field)...)...))
		case errors.As(fault, &grant):
			places = append(places, doc.Fault(labelled(grant.Field, grant.Reason), grantPath(grant)...))
		default:
			places = append(places, doc.Fault(fault.Error()))
		}
	}
	return places
}

func labelled(field, reason string) string {
	if field == "" {
		return reason
	}
	return field + ": " + reason
}

func unjoin(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()
	}
	return []error{err}
}

// keyPath is a dotted key as the steps of a path.
func keyPath(key string) []any {
	var path []any
	for step := range strings.SplitSeq(key, ".") {
		if step != "" {
			path = append(path, step)
		}
	}
	return path
}

func grantPath(f *authz.Fault) []any {
	path := []any{"callers", f.Index}
	if f.List != "" {
		path = append(path, f.List, f.Grant)
	}
	if f.Field != "" {
		path = append(path, f.Field)
	}
	if f.Item >= 0 {
		path = append(path, f.Item)
	}
	return path
}
