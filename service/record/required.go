package record

import "github.com/admin-gateway/admin-gateway/service/catalog"

// Required says of which calls a record is required: without it they are not made or
// not answered.
type Required uint8

const (
	// RequireNothing keeps records where that is possible.
	RequireNothing Required = iota
	// RequireWrites requires those of writes.
	RequireWrites
	// RequireSensitive requires those of writes, of reads that show access, and of
	// streams, which show much at once.
	RequireSensitive
	// RequireAll requires those of every call that is allowed.
	RequireAll
)

// covers says whether the record of a call is required.
func (r Required) covers(m *catalog.Method) bool {
	switch {
	case r == RequireNothing || m == nil:
		return false
	case !m.Read || r == RequireAll:
		return true
	}
	return r == RequireSensitive && (m.Sensitive || m.Secret || m.Source == catalog.FanOut)
}
