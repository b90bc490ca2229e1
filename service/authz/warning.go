package authz

import (
	"fmt"
	"strings"
)

// reading is a read of a condition that nothing guards, and for which RPCs.
type reading struct {
	unguarded
	method string // the first of them
	others int
}

// readings are those of one condition.
type readings []reading

// add adds the reads of a condition for one more RPC.
func (r *readings) add(found []unguarded, method string) {
	for _, one := range found {
		known := false
		for i := range *r {
			if (*r)[i].unguarded == one {
				(*r)[i].others++
				known = true
				break
			}
		}
		if !known {
			*r = append(*r, reading{one, method, 0})
		}
	}
}

// warn reports the reads of the condition that the compiler is at, but for labels that
// the caller has.
func (c *compiler) warn(reads readings) {
	for _, read := range reads {
		if label, ok := strings.CutPrefix(read.path, labelsVariable+"."); ok {
			if _, has := c.labels[label]; has {
				continue
			}
		}
		then := "is not granted"
		if c.at.List == listDenies {
			then = "is denied"
		}
		methods := read.method
		if read.others > 0 {
			methods = fmt.Sprintf("%s and %d more RPCs", read.method, read.others)
		}
		fault := c.at
		fault.Reason = printable(fmt.Sprintf("line %d, column %d: %s need not be there for %s: a call without it %s; ask has() first where that is not meant",
			read.line, read.column, read.path, methods, then))
		c.warnings = append(c.warnings, &fault)
	}
}
