package cache

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// The shortest and the longest time that Listen waits before it reconnects.
const (
	firstReconnect = 20 * time.Millisecond
	lastReconnect  = time.Second
)

// missedHeartbeats is the number of heartbeats without a reply after which a
// connection is closed.
const missedHeartbeats = 3

// Listen implements [Bus].
func (r *Redis) Listen(ctx context.Context, l Listener) {
	pause := firstReconnect
	for ctx.Err() == nil {
		if r.listenOnce(ctx, l) {
			pause = firstReconnect
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
		case <-timer.C:
		}
		timer.Stop()
		pause = min(2*pause, lastReconnect)
	}
}

// listenOnce listens on one connection until it fails, and reports whether the
// subscription was ever confirmed.
func (r *Redis) listenOnce(ctx context.Context, l Listener) (worked bool) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	began := r.options.Now()
	subscription := r.client.Subscribe(ctx) // connects with the first channel
	defer func() { _ = subscription.Close() }()
	// The end of ctx does not interrupt a read.
	defer context.AfterFunc(ctx, func() { _ = subscription.Close() })()

	if r.subscribe(ctx, subscription) != nil {
		return false
	}
	pinged := make(chan struct{})
	go func() {
		defer close(pinged)
		r.ping(ctx, subscription, began)
	}()
	defer func() {
		cancel()
		<-pinged
	}()

	for {
		// Pongs come in between, so that silence means a dead connection. After a
		// timeout the connection must not be used: the read may have stopped in the
		// middle of a message.
		message, err := subscription.ReceiveTimeout(ctx, missedHeartbeats*r.options.Heartbeat)
		if err != nil || ctx.Err() != nil {
			return worked
		}
		switch m := message.(type) {
		case *redis.Subscription:
			// The first confirmation, or that of a reconnection by go-redis.
			worked = true
			l.Up(began)
		case *redis.Pong:
			// Redis answers in order: what it published before it read the ping has
			// come before the pong. When the pong is read says nothing, because it
			// may have waited here while this process was paused.
			if age, err := strconv.ParseInt(m.Payload, 10, 64); err == nil {
				l.Heard(began.Add(time.Duration(age)))
			}
		case *redis.Message:
			r.hear(m, l)
		}
	}
}

func (r *Redis) subscribe(ctx context.Context, subscription *redis.PubSub) error {
	// Longer than a call, because no caller waits for it.
	ctx, cancel := context.WithTimeout(ctx, 2*r.options.Heartbeat)
	defer cancel()
	if r.options.Org != "" {
		return subscription.Subscribe(ctx, newRedisOrg(r.options.Prefix, r.options.Org).channel)
	}
	return subscription.PSubscribe(ctx, globEscape(r.options.Prefix)+":{*}:bus")
}

// globEscape returns a pattern that matches s alone.
func globEscape(s string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(s)
}

// ping sends a PING at each heartbeat, until ctx ends. Its payload is the time of
// its sending, since began.
func (r *Redis) ping(ctx context.Context, subscription *redis.PubSub, began time.Time) {
	ticker := time.NewTicker(r.options.Heartbeat)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		timed, cancel := context.WithTimeout(ctx, r.options.Heartbeat)
		err := subscription.Ping(timed, strconv.FormatInt(int64(r.options.Now().Sub(began)), 10))
		cancel()
		if err != nil {
			// The connection is broken, or go-redis has replaced it: start again.
			_ = subscription.Close()
			return
		}
	}
}

// hear passes on a message of scriptMove: the sender, then the epoch and
// "slot:generation:open" for each slot, open being the number of its open writes, or *
// if the hash was dropped.
func (r *Redis) hear(m *redis.Message, l Listener) {
	sender, rest, _ := strings.Cut(m.Payload, " ")
	epoch, moved, ok := strings.Cut(rest, " ")
	number, err := strconv.ParseUint(epoch, 16, 64)
	if !ok || err != nil {
		// All slots, or a message of a later build. It counts for its sender too,
		// whose memory may have entries of the epoch that it ended.
		l.InvalidatedAll()
		return
	}
	if sender == r.sender {
		return // This replica has invalidated already.
	}
	fields := strings.Fields(moved)
	if len(fields) > Slots {
		l.InvalidatedAll()
		return
	}
	slots := make([]Slot, len(fields))
	generations := make([]uint64, len(fields))
	open := make([]bool, len(fields))
	for i, field := range fields {
		slot, state, _ := strings.Cut(field, ":")
		generation, writes, _ := strings.Cut(state, ":")
		s, err := strconv.ParseUint(slot, 10, 16)
		g, err2 := strconv.ParseUint(generation, 10, 64)
		if err != nil || err2 != nil || s >= Slots {
			l.InvalidatedAll()
			return
		}
		slots[i], generations[i], open[i] = Slot(s), g, writes != "0"
	}
	if o := r.knownOrg(m.Channel); o != nil {
		o.saw(number, slots, generations)
		o.hears(slots, open, r.options.Now())
	}
	l.Invalidated(slots)
}

func (r *Redis) knownOrg(channel string) *redisOrg {
	for _, o := range r.listOrgs() {
		if o.channel == channel {
			return o
		}
	}
	return nil
}
