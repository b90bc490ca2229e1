// Package bursts has servers write the answers of a moment one right after the other.
//
// Who writes to a reader that sleeps wakes it up, which on a virtual machine takes longer
// than the write itself. Answers that are written between the handlers of other requests
// find their reader asleep again each time; those of a burst wake it once, and go along in
// one write where they share a connection.
package bursts

import (
	"io"
	"runtime"
)

// Write writes p to w once goroutines that could run have run. Where there are none it
// does not wait, and where there are many the wait is what they take until they wait for
// something themselves: for their turn to write, at the latest.
func Write(w io.Writer, p []byte) (int, error) {
	runtime.Gosched()
	return w.Write(p)
}
