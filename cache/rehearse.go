package cache

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// rehearsal names the organizations of rehearsals, before something random.
const rehearsal = "rehearsal-"

// rehearsedLife is how long what is left of a rehearsal that broke off stays at the most,
// but for its generations, a key of some bytes.
const rehearsedLife = time.Minute

// Rehearse does once what the store does for a gateway, for an organization of its own:
// it becomes a member, listens, stores an answer, gets it, makes it stale by a write, and
// removes all of it. The error says which step failed, and wraps [ErrUnavailable] where
// Redis refused it or did not answer.
func (r *Redis) Rehearse(ctx context.Context) (err error) {
	name := rehearsal + r.sender
	o, err := r.org(name)
	if err != nil {
		return err
	}
	key, tags := Key{Org: name, Canonical: "GET /rehearsal"}, NewTags(name, "/rehearsal")
	defer func() { err = errors.Join(err, r.forgetRehearsal(ctx, o, key)) }()
	if err := r.Join(ctx, name); err != nil {
		return fmt.Errorf("join the other replicas: %w", err)
	}
	if err := r.rehearseListening(ctx); err != nil {
		return fmt.Errorf("listen to the other replicas: %w", err)
	}
	at, err := r.Snapshot(ctx, tags)
	if err != nil {
		return fmt.Errorf("read generations: %w", err)
	}
	entry := Entry{Forms: NewForms([]byte("{}")), StoredAt: r.options.Now(), Life: Life{Fresh: rehearsedLife}}
	if err := r.Save(ctx, key, entry, at); err != nil {
		return fmt.Errorf("store an answer: %w", err)
	}
	switch _, found, err := r.Load(ctx, key, tags); {
	case err != nil:
		return fmt.Errorf("get a stored answer: %w", err)
	case !found:
		return fmt.Errorf("%w: a stored answer is not found", ErrUnavailable)
	}
	closed, err := r.Open(ctx, tags)
	if err != nil {
		return fmt.Errorf("make an answer stale: %w", err)
	}
	if err := closed(ctx); err != nil {
		return fmt.Errorf("make an answer stale: %w", err)
	}
	if _, found, _ := r.Load(ctx, key, tags); found {
		return fmt.Errorf("%w: an answer is found that was made stale", ErrUnavailable)
	}
	return nil
}

// rehearseListening waits until the subscription is confirmed.
func (r *Redis) rehearseListening(ctx context.Context) error {
	limited, cancel := context.WithTimeout(ctx, 2*r.options.Heartbeat)
	defer cancel()
	up := make(rehearsedListener, 1)
	go func() {
		defer close(up)
		r.listenOnce(limited, up)
	}()
	_, heard := <-up
	cancel()
	for range up { // Until the goroutine has ended.
	}
	if !heard {
		return fmt.Errorf("%w: the subscription is not confirmed", ErrUnavailable)
	}
	return nil
}

// forgetRehearsal removes what a rehearsal has stored.
func (r *Redis) forgetRehearsal(ctx context.Context, o *redisOrg, key Key) error {
	r.mu.Lock()
	delete(r.orgs, rehearsal+r.sender)
	r.mu.Unlock()
	return r.call(ctx, func(ctx context.Context) error { return r.client.Del(ctx, o.slotsKey, o.entryKey(key)).Err() })
}

// rehearsedListener is a [Listener] that waits for Up.
type rehearsedListener chan struct{}

// Up implements [Listener].
func (l rehearsedListener) Up(time.Time) {
	select {
	case l <- struct{}{}:
	default:
	}
}

// Invalidated implements [Listener].
func (rehearsedListener) Invalidated([]Slot) {}

// InvalidatedAll implements [Listener].
func (rehearsedListener) InvalidatedAll() {}

// Heard implements [Listener].
func (rehearsedListener) Heard(time.Time) {}
