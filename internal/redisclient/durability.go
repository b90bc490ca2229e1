package redisclient

import (
	"context"
	"errors"
	"strings"

	"github.com/redis/go-redis/v9"
)

// Level says how bad a finding is.
type Level string

// The levels.
const (
	// Good is a setting as it should be.
	Good Level = "good"
	// Unknown is a setting that this Redis does not tell: managed ones may not.
	Unknown Level = "unknown"
	// Risky is a setting with which leases, or keyed writes, may be forgotten.
	Risky Level = "risky"
)

// Finding is what was found out about how a Redis keeps what does not expire.
type Finding struct {
	// Name is what was looked at: "eviction", "persistence" or "persistence_state".
	Name string
	// Level says how bad it is, and Text is a sentence for the operator.
	Level Level
	Text  string
}

// Durability looks at how safe data are in a Redis that may not be forgotten. It fails
// only if Redis cannot be asked at all: what Redis refuses to tell is Unknown. call
// bounds each question, as [Guard.Call] does; nil asks as it is.
func Durability(ctx context.Context, client redis.UniversalClient, call func(context.Context, func(context.Context) error) error) ([]Finding, error) {
	if call == nil {
		call = func(ctx context.Context, f func(context.Context) error) error { return WithoutReply(f(ctx)) }
	}
	memory, err := info(ctx, client, call, "memory")
	if err != nil {
		return nil, err
	}
	persistence, err := info(ctx, client, call, "persistence")
	if err != nil {
		return nil, err
	}
	save, saveKnown, err := setting(ctx, client, call, "save")
	if err != nil {
		return nil, err
	}
	return []Finding{
		evictionOf(memory["maxmemory_policy"]),
		persistenceOf(persistence["aof_enabled"], save, saveKnown),
		stateOf(persistence),
	}, nil
}

func evictionOf(policy string) Finding {
	const name = "eviction"
	switch policy {
	case "":
		return Finding{name, Unknown, "Redis does not tell its maxmemory-policy: it has to be noeviction."}
	case "noeviction":
		return Finding{name, Good, "Redis evicts nothing."}
	}
	if strings.HasPrefix(policy, "volatile-") {
		return Finding{name, Good, "Redis evicts only keys that expire, and those of leases do not."}
	}
	return Finding{name, Risky, "Redis evicts leases and keyed writes when its memory is full: maxmemory-policy has to be noeviction."}
}

func persistenceOf(aof, save string, saveKnown bool) Finding {
	const name = "persistence"
	switch {
	case aof == "1":
		return Finding{name, Good, "Redis appends to a file what is written."}
	case saveKnown && save == "":
		return Finding{name, Risky, "Redis keeps nothing over a restart: set appendonly yes."}
	case saveKnown:
		return Finding{name, Risky, "Redis saves snapshots only, and loses what came after the last one: set appendonly yes."}
	case aof == "0":
		return Finding{name, Unknown, "Redis appends to no file, and does not tell whether it saves snapshots."}
	}
	return Finding{name, Unknown, "Redis does not tell whether it keeps data over a restart."}
}

func stateOf(persistence map[string]string) Finding {
	const name = "persistence_state"
	aof, rdb := persistence["aof_last_write_status"], persistence["rdb_last_bgsave_status"]
	switch {
	case aof == "" && rdb == "":
		return Finding{name, Unknown, "Redis does not tell whether its last write to a file succeeded."}
	case persistence["aof_enabled"] == "1" && aof != "ok", rdb != "ok" && rdb != "":
		return Finding{name, Risky, "The last write of Redis to a file failed: see its log."}
	}
	return Finding{name, Good, "The last write of Redis to a file succeeded."}
}

// info is a section of what Redis tells; empty if it does not tell.
func info(ctx context.Context, client redis.UniversalClient, call func(context.Context, func(context.Context) error) error, section string) (map[string]string, error) {
	var all string
	err := call(ctx, func(ctx context.Context) (err error) {
		all, err = client.Info(ctx, section).Result()
		return err
	})
	if _, ok := errors.AsType[*ReplyError](err); ok {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	fields := map[string]string{}
	for line := range strings.Lines(all) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			fields[name] = value
		}
	}
	return fields, nil
}

// setting is a setting of Redis; false if it does not tell.
func setting(ctx context.Context, client redis.UniversalClient, call func(context.Context, func(context.Context) error) error, name string) (value string, known bool, err error) {
	err = call(ctx, func(ctx context.Context) error {
		all, err := client.ConfigGet(ctx, name).Result()
		value, known = all[name]
		return err
	})
	if _, ok := errors.AsType[*ReplyError](err); ok {
		return "", false, nil
	}
	return value, known, err
}
