package fleet

import (
	"context"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/admin-gateway/admin-gateway/internal/redisclient"
)

// firstReconnect is the shortest time before another subscription, and missedHeartbeats
// the number of pings without a reply after which a connection is closed.
const (
	firstReconnect   = 20 * time.Millisecond
	missedHeartbeats = 3
)

// The news of the channel: a question, and an answer to one, each with its name; an answer
// with the instance that has given it, too.
const newsQuestion, newsAnswer = "q", "a"

// listen hears the channel until ctx ends.
func (f *Fleet) listen(ctx context.Context) {
	pause := firstReconnect
	for ctx.Err() == nil {
		if f.listenOnce(ctx) {
			pause = firstReconnect
		}
		f.onceListen.Do(func() { close(f.listened) })
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
		case <-timer.C:
		}
		timer.Stop()
		pause = min(2*pause, f.options.Heartbeat)
	}
}

// listenOnce hears the channel on one connection until it fails, and reports whether the
// subscription was confirmed.
func (f *Fleet) listenOnce(ctx context.Context) (worked bool) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	subscription := f.options.Redis.Subscribe(ctx) // Connects with the first channel.
	defer func() { _ = subscription.Close() }()
	// The end of ctx does not interrupt a read.
	defer context.AfterFunc(ctx, func() { _ = subscription.Close() })()

	timed, done := context.WithTimeout(ctx, 2*f.options.Heartbeat)
	err := subscription.Subscribe(timed, f.keys.channel)
	done()
	if err != nil {
		return false
	}
	pinged := make(chan struct{})
	go func() {
		defer close(pinged)
		f.ping(ctx, subscription)
	}()
	defer func() {
		cancel()
		<-pinged
	}()
	for {
		// After a timeout the connection must not be used: the read may have stopped in
		// the middle of a message.
		message, err := subscription.ReceiveTimeout(ctx, missedHeartbeats*f.options.Heartbeat)
		if err != nil || ctx.Err() != nil {
			f.explain(ctx, err)
			return worked
		}
		switch m := message.(type) {
		case *redis.Subscription:
			worked = true
			f.refused.Store(false)
			f.onceListen.Do(func() { close(f.listened) })
		case *redis.Message:
			f.hear(m.Payload)
		}
	}
}

// explain logs, once, that Redis refuses the channel.
func (f *Fleet) explain(ctx context.Context, err error) {
	if redisclient.RefusedLogin(redisclient.WithoutReply(err)) && !f.refused.Swap(true) {
		f.options.Logger.WarnContext(ctx, "this replica cannot be asked by others: the user of Redis may not subscribe to their channel (docs/caching.md has the rules of its ACL)", "channel", f.keys.channel)
	}
}

// ping shows at each heartbeat that the connection is alive, until ctx ends.
func (f *Fleet) ping(ctx context.Context, subscription *redis.PubSub) {
	ticker := time.NewTicker(f.options.Heartbeat)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		timed, cancel := context.WithTimeout(ctx, f.options.Heartbeat)
		err := subscription.Ping(timed)
		cancel()
		if err != nil {
			_ = subscription.Close()
			return
		}
	}
}

// hear takes a message. It does not wait: what there is no room for is dropped.
func (f *Fleet) hear(message string) {
	words := strings.Fields(message[:min(len(message), 256)])
	switch {
	case len(words) == 2 && words[0] == newsQuestion && isToken(words[1]):
		f.heardQuestion(words[1])
	case len(words) == 3 && words[0] == newsAnswer && isToken(words[1]) && isToken(words[2]):
		f.heardAnswer(words[1], words[2])
	}
}

func (f *Fleet) heardQuestion(id string) {
	f.mu.Lock()
	_, own := f.pending[id]
	f.mu.Unlock()
	if own {
		return
	}
	if f.limit.Allow() {
		select {
		case f.questions <- id:
			return
		default:
		}
	}
	f.dropped.Add(1)
}

func (f *Fleet) heardAnswer(id, instance string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	select {
	case f.pending[id] <- instance: // nil, and so never ready, for a question of another replica.
	default:
	}
}
