package adminkey

import (
	"context"
	"errors"
	"time"

	"github.com/admin-gateway/admin-gateway/lease"
)

// turn takes part in the rotation that is under way, and makes its next steps as far as
// they can be made now. A replica that cannot take part says that it is there: it is
// waited for.
func (r *Rotator) turn(ctx context.Context) error {
	for range maxSteps {
		k, err := r.load(ctx)
		if errors.Is(err, lease.ErrNotFound) {
			return r.beat(ctx, part{})
		}
		if errors.Is(err, lease.ErrSecretLost) {
			return errors.Join(err, r.beat(ctx, part{problem: "its encryption keys do not open the new key"}))
		}
		if err != nil {
			return err
		}
		key, err := r.o.Own.Key(ctx)
		if err != nil {
			return errors.Join(err, r.beat(ctx, part{problem: "its key cannot be read"}))
		}
		says, key := r.takePart(ctx, &k, key)
		if err := r.beat(ctx, says); err != nil {
			return err
		}
		moved, err := r.work(ctx, &k, key)
		if err != nil || !moved {
			return err
		}
	}
	return nil
}

// takePart puts the new key in the place of the old one in this replica, when the time
// has come, and returns what this replica says of itself and the key that it has.
func (r *Rotator) takePart(ctx context.Context, k *kept, key lease.Secret) (part, lease.Secret) {
	if k.Phase != Switching && k.Phase != Draining {
		return part{}, key
	}
	says := part{rotation: k.ID, settled: true}
	if !k.isOld(key) {
		return says, key
	}
	err := r.o.Own.Replace(ctx, key, k.next)
	if err == nil {
		key, err = r.o.Own.Key(ctx)
	}
	if err == nil && k.isOld(key) {
		err = &FileError{Words: "the file of the key has the new one, and the old one is still in use"}
	}
	if err != nil {
		says.settled, says.problem = false, wordsOf(err)
		r.note(ctx, err)
	}
	return says, key
}

// work makes a step of the rotation, if this replica can and nobody else does. It tells
// whether the rotation has moved on.
func (r *Rotator) work(ctx context.Context, k *kept, key lease.Secret) (bool, error) {
	at := time.Now()
	if k.Phase.Final() || at.Before(k.Next) || !r.can(k, key) {
		return false, nil
	}
	if k.Worker != r.o.Replica && k.WorkerUntil.After(at) {
		return false, nil
	}
	before := k.Phase
	k.Worker, k.WorkerUntil = r.o.Replica, now().Add(claimLife)
	if before == Planned {
		// The intent is the claim as well.
		k.Phase, k.SendBefore = Creating, now().Add(longestStep)
	}
	if err := r.put(ctx, k); err != nil {
		return false, ignoreChanged(err)
	}
	entered := k.Phase
	err := r.bounded(ctx, k, key, before == Planned)
	if err != nil {
		if ctx.Err() != nil && k.Phase == entered {
			return false, ctx.Err() // The end of this replica says nothing about the rotation.
		}
		r.postpone(k, err)
	}
	if k.Phase != Proving { // Who has begun to compare has a part of the result.
		k.Worker, k.WorkerUntil = "", time.Time{}
	}
	saving, cancel := context.WithTimeout(context.WithoutCancel(ctx), longestSave)
	defer cancel()
	if putErr := r.put(saving, k); putErr != nil {
		return false, errors.Join(err, ignoreChanged(putErr))
	}
	if k.Phase != before {
		r.o.Logger.InfoContext(ctx, "the rotation of the admin key has moved on", "rotation", k.ID, "phase", string(k.Phase),
			"failure", string(k.Failure), "old_key_id", k.OldKeyID, "new_key_id", k.NewKeyID)
	}
	return k.Phase != before, err
}

// bounded makes a step within its time. To ask for the key does not end with this replica:
// the answer is worth waiting for.
func (r *Rotator) bounded(ctx context.Context, k *kept, key lease.Secret, first bool) error {
	if k.Phase == Creating {
		ctx = context.WithoutCancel(ctx)
	}
	ctx, cancel := context.WithTimeout(ctx, longestStep)
	defer cancel()
	return r.step(ctx, k, key, first)
}

// can tells whether this replica has the key that the next step takes.
func (r *Rotator) can(k *kept, key lease.Secret) bool {
	switch k.Phase {
	case Planned, Proving:
		return k.isOld(key) || time.Since(k.Since) > longestProof
	case Switching, Draining:
		return k.isNew(key)
	default:
		return true
	}
}

// step makes the step of a phase. first tells that the key was not asked for yet.
func (r *Rotator) step(ctx context.Context, k *kept, key lease.Secret, first bool) error {
	switch k.Phase {
	case Creating:
		return r.create(ctx, k, key, first)
	case Doubtful:
		return r.look(ctx, k, key)
	case Proving:
		return r.prove(ctx, k, key)
	case Switching:
		return r.switched(ctx, k)
	case Draining:
		return r.drain(ctx, k, key)
	case Discarding:
		return r.discard(ctx, k, key)
	default: // The others have no step.
		return nil
	}
}

// postpone says when a step that could not be made is tried again.
func (r *Rotator) postpone(k *kept, err error) {
	k.Attempts++
	pause := min(r.o.Tick<<min(k.Attempts-1, 10), longestPause)
	if e, ok := errors.AsType[*CallError](err); ok {
		pause = max(pause, e.RetryAfter)
	}
	k.Trouble, k.Next = wordsOf(err), now().Add(pause)
	if k.Trouble == "" {
		k.Trouble = "the step could not be made; the log says why"
	}
}

// ignoreChanged is nil where another replica has changed the rotation: it goes on with it.
func ignoreChanged(err error) error {
	if errors.Is(err, lease.ErrConflict) {
		return nil
	}
	return err
}
