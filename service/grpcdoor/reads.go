package grpcdoor

import "sync"

// reads are the reads of calls from their clients. grpc-go gives one up when its handler
// returns, and before that only with a status of its own; so a handler that may be
// interrupted leaves the read to somebody else. Some goroutines stand by for it, with
// stacks that have grown to what a read needs; where none is free there is a new one.
type reads struct {
	waiting chan *stream
	all     sync.WaitGroup
}

// newReads starts the goroutines, which end with [reads.end].
func newReads() *reads {
	r := &reads{waiting: make(chan *stream)}
	for range standing {
		r.all.Go(func() {
			for s := range r.waiting {
				s.readFrame()
			}
		})
	}
	return r
}

// begin begins the read of a frame: s.came gets it.
func (r *reads) begin(s *stream) {
	select {
	case r.waiting <- s:
	default:
		r.all.Go(s.readFrame)
	}
}

// end waits for the end of all reads. None begins any more.
func (r *reads) end() {
	close(r.waiting)
	r.all.Wait()
}
