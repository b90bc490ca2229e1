// Package layout is the form that both ledgers keep leases in: the bytes of a record,
// the keys by which it is found, the groups in which it is counted, and the bounds of
// what is asked. It imports package lease alone; lease/redisledger and
// lease/fileledger import it.
//
// An index is one ordered set of texts, "GROUP\nMEMBER". A group is a letter and what
// it is of; a member ends with the id of the lease. All that a ledger finds, it finds
// by a range of that set, so both find the same in the same order, and a check has one
// thing to compare. No text of a record has a control character in it.
//
//	a STATE          ID             all leases
//	r STATE ROLE     ID             those of a role; counted
//	c STATE CALLER   ID             those of a caller
//	h STATE HOLDER   ID             those of a holder
//	R ROLE           ID             live credentials of a role; counted
//	C CALLER         ID             live leases of a caller; counted
//	m CALLER         ID             leases that a caller made, live or not
//	q DIGEST         ID             the request that it answers
//	d KIND           TIME ID        what is due, by time
package layout
