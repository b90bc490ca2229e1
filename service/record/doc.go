// Package record keeps a record of every call in the audit log: [Recorder.WithRecord]
// when the call is over, and [Recorder.Intent] before a write is made, where the
// operator requires that.
//
// It imports audit, for the form of a record, and accounting, for what is known of a
// call.
package record
