// Package observe shows calls to operators: spans, metrics, labels of profiles, and
// lines in the log.
// Its interceptors read the account of a call ([accounting.Call]) after the handler
// has returned, and change nothing.
//
// It imports accounting and catalog. The steps of the pipeline use its [Tracer] for
// their stages.
package observe
