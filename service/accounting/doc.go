// Package accounting holds the account of a call: the facts for the log, the
// record, the metrics, the trace and the headers of the answer.
//
// The steps of the pipeline write a [Call], each its own part, on the goroutine
// that serves the call; no decision depends on it. It imports the types of these
// parts and no step. The observers of package service read it after the handler
// has returned.
package accounting
