// Package drive makes calls at moments that were drawn beforehand, and times each from
// the moment at which it was due: a server that falls behind is seen to, where a client
// that waits for it before it sends the next call would not see it (coordinated omission).
// It also makes calls in a closed loop, each with a request of its own.
//
// It is one loop over non-blocking sockets in one thread, so that the client adds little
// and the same to each time. It imports nothing of the project.
package drive
