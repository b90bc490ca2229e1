package callers

import "context"

// force is the time for which a policy is in force.
type force struct {
	ctx context.Context
	end context.CancelFunc
}

func newForce() force {
	ctx, end := context.WithCancel(context.Background())
	return force{ctx, end}
}

// InForce ends when another policy has come into force: whoever then asks for the
// current one gets that. It is for calls that outlast a policy.
func (s *Set) InForce() context.Context { return s.inForce.ctx }

// Supersede ends InForce. It is called once another policy is the current one.
func (s *Set) Supersede() { s.inForce.end() }
