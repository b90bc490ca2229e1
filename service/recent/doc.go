// Package recent keeps the records of the last calls in memory, and answers
// admingateway.control.v1.AuditService from the memory of every replica: why a call was
// refused, or slow, and who cannot log in.
//
//	memory.go    which records are kept, and for whom
//	pool.go      a bounded number of bytes, of which callers have equal shares
//	find.go      the records that meet a filter
//	strangers.go calls without a valid credential, one line for many
//	service.go   the RPCs
//	replicas.go  what one replica says, and all of them together
//	message.go   records as messages
//
// A memory is short, and an audit log is long: what is not found may have been
// forgotten, and each answer says from when on nothing was. The memory holds the lines of
// the log and nothing else, so no secret.
//
// It imports service/audit for records, service/pipeline for handlers and
// service/replicas for the other replicas, and no step.
package recent
