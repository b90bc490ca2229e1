package authz

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
