package fleet

import (
	"context"
	"fmt"
	"runtime/debug"
	"time"
)

// answerLife is how long an answer is kept for who asked.
const answerLife = 5 * time.Second

// work answers questions of others, one after the other, until ctx ends.
func (f *Fleet) work(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case id := <-f.questions:
			f.answerTo(ctx, id)
		}
	}
}

// answerTo answers a question of another replica. A question that is gone, or that cannot
// be read, has no answer.
func (f *Fleet) answerTo(ctx context.Context, id string) {
	text, err := f.load(ctx, f.keys.question+id, MaxQuestion)
	if err != nil || len(text) == 0 {
		return
	}
	asked, payload, err := f.envelopes.read(text, questionOf(id))
	if err != nil || asked.wait() <= 0 {
		return
	}
	within, cancel := context.WithTimeout(ctx, min(asked.wait(), f.options.Wait))
	defer cancel()
	answer, err := f.answer(within, asked.Kind, payload)
	sent, err := f.envelopes.write(header{Status: statusOf(err)}, answer, answerOf(id, f.instance))
	if err != nil {
		return
	}
	err = f.guard.Call(ctx, func(ctx context.Context) error {
		pipe := f.options.Redis.Pipeline()
		pipe.Set(ctx, f.answerKey(id, f.instance), sent, answerLife)
		pipe.Publish(ctx, f.keys.channel, newsAnswer+" "+id+" "+f.instance)
		_, err := pipe.Exec(ctx)
		return err
	})
	if err == nil {
		f.answered.Add(1)
	}
}

func (f *Fleet) answerKey(id, instance string) string { return f.keys.answer + id + ":" + instance }

// answer is this replica's own. A panic is an error: others go on asking.
func (f *Fleet) answer(ctx context.Context, kind string, payload []byte) (answer []byte, err error) {
	f.mu.Lock()
	answerer := f.answerers[kind]
	f.mu.Unlock()
	if answerer == nil {
		return nil, ErrUnknownKind
	}
	defer func() {
		if value := recover(); value != nil {
			f.options.Logger.ErrorContext(ctx, "panic while a question of a replica is answered", "kind", kind, "stack", string(debug.Stack()))
			answer, err = nil, fmt.Errorf("panic: %T", value)
		}
	}()
	if answer, err = answerer(ctx, payload); err != nil {
		return nil, err
	}
	if len(answer) > MaxAnswer {
		return nil, ErrTooLarge
	}
	return answer, nil
}

// roomAround is how much longer than its payload a question or an answer is.
const roomAround = maxHeader + 256

// load reads a key of at most so many bytes of payload; empty if there is none.
func (f *Fleet) load(ctx context.Context, key string, payload int64) (text []byte, err error) {
	err = f.guard.Call(ctx, func(ctx context.Context) (err error) {
		text, err = f.options.Redis.GetRange(ctx, key, 0, payload+roomAround).Bytes()
		return err
	})
	return text, err
}
