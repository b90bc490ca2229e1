// Package audit keeps a record of every call: lines of JSON, appended to a file, a
// FIFO or the standard output, or sent to a collector's socket.
//
// [Schema] is the JSON Schema of a line, and docs/audit.md its reference. The members
// of a line always come in the same order, and those that have nothing to say are
// left out. A record is one line, unless its lists take more.
//
// Strings come from callers, so they are not trusted: unprintable characters
// are escaped, bytes that are not UTF-8 become U+FFFD, and a string that would
// take more room than its member has is cut and ends in "…[N bytes]", where N
// is the length that it had. A line is never longer than [MaxLine], and one
// with ids of the length that the upstream gives fits in 4096 bytes, which a
// pipe takes whole or not at all, however many processes write to it.
//
// Lines come in the order in which they were written, which is about the order
// in which calls ended. Offered records are written together, a tenth of a second
// later at the most; a record that somebody waits for is written at once. A line that the kernel has taken outlives the process,
// and with Options.Sync also a loss of power.
//
// It imports no other package of service/: a record is plain data. Package record
// makes the records of calls.
package audit
