// Package record writes a record of every call to the audit log:
// [Recorder.WithRecord] when the call is over, and [Recorder.Intent] before a write
// is made, where the operator requires that.
//
// It imports audit, for the form of a record, and accounting, for the facts of a
// call.
package record
