// Package rpcerror defines the errors that callers see: one error type, the
// stable reasons, and the table that maps every error of the pipeline to a
// code.
//
// It imports the errors of the upstream's client and of the list walker, and no
// other package of service/. Every package of service/ that can fail for a
// caller makes an [*Error]; the outermost interceptor calls [ToCaller] for all
// that is not one yet. docs/errors.md is the table as a page.
package rpcerror
