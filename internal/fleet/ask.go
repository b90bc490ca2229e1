package fleet

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"
)

// atOnce is how many answers are read from Redis at once.
const atOnce = 8

// Ask asks every replica a question of a kind, and returns when all have answered, or
// their time is up. The error is [ErrTooLarge], [ErrBusy], or that of ctx; a replica that
// does not answer is none, and neither is a Redis that is lost.
func (f *Fleet) Ask(ctx context.Context, kind string, payload []byte) (Answers, error) {
	if len(payload) > MaxQuestion {
		return Answers{}, ErrTooLarge
	}
	within, cancel := context.WithTimeout(ctx, f.options.Wait)
	defer cancel()
	var all Answers
	if f.options.Redis == nil {
		all.Alone = true
		all.addOwn(f.options.Replica, f.askSelf(within, kind, payload))
		return all, ctx.Err()
	}
	own := make(chan ownAnswer, 1)
	go func() { own <- f.askSelf(within, kind, payload) }()
	err := f.askOthers(within, kind, payload, &all)
	// An answerer ends with its context.
	all.addOwn(f.options.Replica, <-own)
	all.sort()
	if err != nil {
		return Answers{}, err
	}
	return all, ctx.Err()
}

type ownAnswer struct {
	payload []byte
	err     error
}

func (f *Fleet) askSelf(ctx context.Context, kind string, payload []byte) ownAnswer {
	answer, err := f.answer(ctx, kind, payload)
	return ownAnswer{answer, err}
}

func (a *Answers) addOwn(replica string, own ownAnswer) {
	if why := statusOf(own.err).why(); why != "" {
		a.Missing = append(a.Missing, Missing{replica, why})
		return
	}
	a.ByReplica = append(a.ByReplica, Answer{Replica: replica, Self: true, Payload: own.payload})
}

// askOthers adds the answers of the others.
func (f *Fleet) askOthers(ctx context.Context, kind string, payload []byte, all *Answers) error {
	known, err := f.announce(ctx, f.life())
	if err != nil {
		// Those of whom it is known are named, and there may be others.
		all.Unknown = true
		if last := f.members.Load(); last != nil {
			all.miss(f.others(*last), Silent)
		}
		return nil
	}
	all.Unknown = len(known) >= MaxMembers
	others := f.others(known)
	if len(others) == 0 {
		return nil
	}
	id, heard := rand.Text(), make(chan string, MaxMembers)
	if err := f.expect(id, heard); err != nil {
		return err
	}
	defer f.forget(id)
	if err := f.send(ctx, id, kind, payload); err != nil {
		all.Unknown = true
		all.miss(others, Silent)
		return nil // Redis is lost, which the answer says.
	}
	wait(ctx, others, heard)
	// What was asked for may be there although nobody was heard: it is looked for until
	// a little after the time of ctx.
	f.collect(context.WithoutCancel(ctx), id, others, all)
	if len(all.Missing) > 0 {
		f.forgive(context.WithoutCancel(ctx), others, all)
	}
	return nil
}

// forgive takes those out of the silent that have signed off since they were asked.
func (f *Fleet) forgive(ctx context.Context, asked []member, all *Answers) {
	now, err := f.announce(ctx, f.life())
	if err != nil {
		return
	}
	gone := make(map[string]bool, len(asked))
	for _, m := range asked {
		gone[m.name] = !slices.Contains(now, m)
	}
	all.Missing = slices.DeleteFunc(all.Missing, func(m Missing) bool { return m.Why == Silent && gone[m.Replica] })
}

// others are all members but this one.
func (f *Fleet) others(members []member) []member {
	return slices.DeleteFunc(slices.Clone(members), func(m member) bool { return m.instance == f.instance })
}

func (a *Answers) miss(members []member, why Why) {
	for _, m := range members {
		a.Missing = append(a.Missing, Missing{m.name, why})
	}
}

func (f *Fleet) expect(id string, heard chan<- string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.pending) >= maxPending {
		return ErrBusy
	}
	f.pending[id] = heard
	return nil
}

func (f *Fleet) forget(id string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.pending, id)
}

// send stores a question for as long as it is waited for, and publishes that it is there.
func (f *Fleet) send(ctx context.Context, id, kind string, payload []byte) error {
	left := f.options.Wait
	if deadline, ok := ctx.Deadline(); ok {
		left = time.Until(deadline)
	}
	if left < time.Millisecond {
		return context.DeadlineExceeded
	}
	text, err := f.envelopes.write(header{Kind: kind, WaitMillis: left.Milliseconds()}, payload, questionOf(id))
	if err != nil {
		return err
	}
	err = f.guard.Call(ctx, func(ctx context.Context) error {
		pipe := f.options.Redis.Pipeline()
		pipe.Set(ctx, f.keys.question+id, text, left)
		pipe.Publish(ctx, f.keys.channel, newsQuestion+" "+id)
		_, err := pipe.Exec(ctx)
		return err
	})
	if err != nil {
		return fmt.Errorf("fleet: ask: %w", err)
	}
	return nil
}

// wait returns when all others were heard, or ctx ends.
func wait(ctx context.Context, others []member, heard <-chan string) {
	silent := make(map[string]struct{}, len(others))
	for _, m := range others {
		silent[m.instance] = struct{}{}
	}
	for len(silent) > 0 {
		select {
		case instance := <-heard:
			delete(silent, instance)
		case <-ctx.Done():
			return
		}
	}
}

// collect reads the answers of the others.
func (f *Fleet) collect(ctx context.Context, id string, others []member, all *Answers) {
	room := maxAnswers
	for some := range slices.Chunk(others, atOnce) {
		texts := make([]*redis.StringCmd, len(some))
		err := f.guard.Call(ctx, func(ctx context.Context) error {
			pipe := f.options.Redis.Pipeline()
			for i, m := range some {
				texts[i] = pipe.GetRange(ctx, f.answerKey(id, m.instance), 0, MaxAnswer+roomAround)
			}
			_, err := pipe.Exec(ctx)
			return err
		})
		if err != nil {
			all.miss(some, Silent)
			continue
		}
		for i, m := range some {
			text, _ := texts[i].Bytes()
			if room -= len(text); room < 0 {
				all.Missing = append(all.Missing, Missing{m.name, Oversized})
				continue
			}
			f.take(id, m, text, all)
		}
	}
}

// take adds the answer of a replica; an empty text is none.
func (f *Fleet) take(id string, m member, text []byte, all *Answers) {
	why := Silent
	if len(text) > 0 {
		said, payload, err := f.envelopes.read(text, answerOf(id, m.instance))
		if err != nil {
			said.Status = ""
		}
		if why = said.Status.why(); why == "" {
			all.ByReplica = append(all.ByReplica, Answer{Replica: m.name, Payload: payload})
			return
		}
	}
	all.Missing = append(all.Missing, Missing{m.name, why})
}
