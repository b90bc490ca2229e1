package adminkey

import (
	"context"
	"errors"
	"time"

	"github.com/admin-gateway/admin-gateway/lease"
)

// create asks for the new key, once: only who has just written down the intent does so.
// Whoever else finds the rotation here takes the answer for lost, unless it is this
// replica, which has the answer and could not write it down.
func (r *Rotator) create(ctx context.Context, k *kept, key lease.Secret, first bool) error {
	if r.made.rotation != k.ID {
		if !first {
			k.enter(Doubtful, now())
			return nil
		}
		if !k.isOld(key) {
			k.fail(Failed, KeyChanged, now())
			return nil
		}
		made, err := r.o.Upstream.Create(ctx, k.Caller, key, k.Name)
		switch outcomeOf(err) {
		case succeeded:
			r.made.rotation, r.made.key = k.ID, made
		case NotMade:
			if time.Since(k.Started) > longestProof {
				k.fail(Failed, NotCreated, now())
				return nil
			}
			k.Phase = Planned
			return err
		case Refused, Gone:
			k.fail(Failed, NotCreated, now())
			k.Trouble = wordsOf(err)
			return nil
		default:
			k.enter(Doubtful, now())
			return nil
		}
	}
	k.NewKeyID, k.next = r.made.key.ID, r.made.key.Secret
	k.enter(Proving, now())
	return nil
}

// succeeded is the outcome of a call without an error.
const succeeded Outcome = 255

func outcomeOf(err error) Outcome {
	if err == nil {
		return succeeded
	}
	if e, ok := errors.AsType[*CallError](err); ok {
		return e.Outcome
	}
	return Unknown
}

// look finds a key whose secret is lost, and deletes it.
func (r *Rotator) look(ctx context.Context, k *kept, key lease.Secret) error {
	all, err := r.o.Upstream.List(ctx, k.Caller, key)
	if err != nil {
		return err
	}
	found := false
	for _, f := range all {
		if f.Name != k.Name {
			continue
		}
		found, k.NewKeyID = true, f.ID
		if err := r.o.Upstream.Delete(ctx, k.Caller, key, f.ID); err != nil && outcomeOf(err) != Gone {
			return err
		}
	}
	switch {
	case found, time.Since(k.SendBefore) > longestDoubt:
		k.fail(Failed, AnswerLost, now())
	default:
		k.Next = now().Add(lookEvery)
	}
	return nil
}

// prove compares what the two keys may read.
func (r *Rotator) prove(ctx context.Context, k *kept, old lease.Secret) error {
	r.made.key = Made{} // The ledger has it.
	if !k.isOld(old) {
		k.fail(Discarding, KeyChanged, now())
		return nil
	}
	if r.verdicts.rotation != k.ID {
		r.verdicts.rotation, r.verdicts.of = k.ID, make(map[string]verdict)
	}
	var wider, narrower []string
	for _, read := range r.o.Upstream.Reads() {
		v, known := r.verdicts.of[read]
		if !known {
			var err error
			if v.old, err = r.o.Upstream.May(ctx, k.Caller, old, read); err != nil {
				return err
			}
			if v.next, err = r.o.Upstream.May(ctx, k.Caller, k.next, read); err != nil {
				return err
			}
			if v.next || !v.old {
				r.verdicts.of[read] = v // A new key that is refused may be known a moment later.
			}
		}
		switch {
		case v.next && !v.old:
			wider = append(wider, read)
		case v.old && !v.next:
			narrower = append(narrower, read)
		}
	}
	switch {
	case len(narrower) > 0 && time.Since(k.Since) < shortestProof:
		return &CallError{Outcome: NotMade, Words: "the upstream does not accept the new key yet"}
	case len(narrower) > 0:
		k.Reads = narrower
		k.fail(Discarding, Narrower, now())
	case len(wider) > 0 && !k.AllowWider:
		k.Reads = wider
		k.fail(Discarding, Wider, now())
	default:
		k.Reads = wider
		k.enter(Switching, now())
	}
	return nil
}

// switched goes on when no replica uses the old key.
func (r *Rotator) switched(ctx context.Context, k *kept) error {
	settled, err := r.settled(ctx, k)
	if err != nil || !settled {
		return err
	}
	k.enter(Draining, now())
	k.Next = k.Since.Add(r.o.Drain)
	return nil
}

func (r *Rotator) settled(ctx context.Context, k *kept) (bool, error) {
	alive, _, err := r.members(ctx)
	return len(waitingFor(alive, k.ID, r.o.Replica)) == 0, err
}

// drain deletes the old key when nobody has used it for as long as a call may take. A
// replica that came meanwhile, with the old key, is waited for.
func (r *Rotator) drain(ctx context.Context, k *kept, key lease.Secret) error {
	settled, err := r.settled(ctx, k)
	if err != nil {
		return err
	}
	if !settled {
		k.enter(Switching, now())
		return nil
	}
	found, err := r.o.Upstream.Get(ctx, k.Caller, key, k.OldKeyID)
	switch {
	case outcomeOf(err) == Gone:
		k.enter(Done, now())
		return nil
	case err != nil:
		return err
	}
	k.OldLastUsed = found.LastUsed
	if found.LastUsed.After(k.Since) && time.Since(found.LastUsed) < r.o.Drain {
		k.Trouble, k.Next = "somebody uses the old key", now().Add(lookEvery)
		return nil
	}
	if err := r.o.Upstream.Delete(ctx, k.Caller, key, k.OldKeyID); err != nil && outcomeOf(err) != Gone {
		return err
	}
	k.enter(Done, now())
	return nil
}

// discard deletes a new key that is not going to be used.
func (r *Rotator) discard(ctx context.Context, k *kept, key lease.Secret) error {
	if err := r.o.Upstream.Delete(ctx, k.Caller, key, k.NewKeyID); err != nil && outcomeOf(err) != Gone {
		return err
	}
	k.enter(Failed, now())
	return nil
}
