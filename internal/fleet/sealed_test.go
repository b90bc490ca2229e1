package fleet

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/admin-gateway/admin-gateway/internal/redisclient"
	"github.com/admin-gateway/admin-gateway/internal/redistest"
	"github.com/admin-gateway/admin-gateway/internal/timetest"
)

// TestSealed: with keys, nothing of a question or an answer can be read in Redis; a
// question of somebody without the key is not answered; and an answer is good for its own
// question and replica.
func TestSealed(t *testing.T) {
	t.Parallel()
	addr := redistest.Start(t)
	asking := start(t, addr, Options{Replica: "asking", Seal: sealer(t, 1), Wait: 300 * time.Millisecond}).echo(t)
	other := start(t, addr, Options{Replica: "other", Seal: sealer(t, 1)}).echo(t)
	outside := start(t, addr, Options{Replica: "outside", Wait: 300 * time.Millisecond}).echo(t)
	anotherKey := start(t, addr, Options{Replica: "another-key", Seal: sealer(t, 2)}).echo(t)
	for _, r := range []*running{asking, other, outside, anotherKey} {
		r.see(t, 4)
	}
	watch := redistest.Client(t, addr)
	const canary = "CANARY-OF-A-QUESTION"
	got := asking.ask(t, "echo", canary)
	if diff := cmp.Diff([]string{"asking: " + canary, "other: " + canary}, texts(got)); diff != "" || len(got.Missing) != 2 {
		t.Errorf("%+v: %s", got, diff)
	}
	keys, err := watch.Keys(t.Context(), "*:a:*").Result()
	if err != nil || len(keys) == 0 {
		t.Fatal(keys, err)
	}
	for _, key := range keys {
		text, err := watch.Get(t.Context(), key).Bytes()
		if err != nil || bytes.Contains(text, []byte(canary)) || bytes.Contains(text, []byte("echo")) {
			t.Errorf("%s has %q, %v", key, text, err)
		}
	}
	if got := outside.ask(t, "echo", "x"); len(got.ByReplica) != 1 || len(got.Missing) != 3 {
		t.Errorf("without the key: %+v", got)
	}
}

// TestForgedAnswers: with keys, an answer of another question, of another replica, and one
// without a key are those of a replica that cannot be read.
func TestForgedAnswers(t *testing.T) {
	t.Parallel()
	e := envelopes{sealer(t, 1)}
	for name, test := range map[string]struct {
		form    envelopes
		purpose string
		want    Why
	}{
		"its own":           {e, answerOf("ID", "X"), ""},
		"another question":  {e, answerOf("OLD", "X"), Unreadable},
		"another replica":   {e, answerOf("ID", "Y"), Unreadable},
		"the question":      {e, questionOf("ID"), Unreadable},
		"not encrypted":     {envelopes{}, answerOf("ID", "X"), Unreadable},
		"with another key":  {envelopes{sealer(t, 2)}, answerOf("ID", "X"), Unreadable},
		"none is a silence": {e, "", Silent},
	} {
		f := &Fleet{envelopes: e}
		var text []byte
		if test.purpose != "" {
			var err error
			if text, err = test.form.write(header{Status: statusOK}, []byte("said"), test.purpose); err != nil {
				t.Fatal(err)
			}
		}
		var all Answers
		f.take("ID", member{"X", "x"}, text, &all)
		switch {
		case test.want == "" && (len(all.ByReplica) != 1 || string(all.ByReplica[0].Payload) != "said"):
			t.Errorf("%s: %+v", name, all)
		case test.want != "" && (len(all.ByReplica) != 0 || len(all.Missing) != 1 || all.Missing[0].Why != test.want):
			t.Errorf("%s: %+v", name, all)
		}
	}
}

// TestACL: the commands and the channel of docs/caching.md are enough; without the
// channel, this replica is missing in the answers of others, and nothing else suffers.
func TestACL(t *testing.T) {
	t.Parallel()
	addr := redistest.Start(t)
	redistest.SetUser(t, addr, "gateway", "on >word "+redistest.ACL)
	redistest.SetUser(t, addr, "older", "on >word "+strings.Replace(redistest.ACL, "&gw:{*}:fleet", "", 1))
	login := func(user, name string) *running {
		client, err := redisclient.New(redisclient.Config{URL: "redis://" + user + ":word@" + addr, Patience: CallTimeout})
		if err != nil {
			t.Fatal(err)
		}
		f, err := New(Options{Redis: client, Scope: "test", Replica: name, Heartbeat: testHeartbeat, Wait: 300 * time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			_ = f.Run(ctx)
		}()
		t.Cleanup(func() {
			cancel()
			<-ended
			_ = client.Close()
		})
		return (&running{Fleet: f}).echo(t)
	}
	a, b := login("gateway", "a"), login("gateway", "b")
	a.see(t, 2)
	b.see(t, 2)
	if got := a.ask(t, "echo", "x"); !got.Whole() || len(got.ByReplica) != 2 {
		t.Errorf("%+v", got)
	}
	older := login("older", "older")
	timetest.Eventually(t, "the refusal is known", older.refused.Load)
	a.see(t, 3)
	if got := a.ask(t, "echo", "x"); len(got.ByReplica) != 2 || len(got.Missing) != 1 || got.Missing[0] != (Missing{"older", Silent}) {
		t.Errorf("%+v", got)
	}
	if got := older.ask(t, "echo", "x"); got.Whole() || len(got.ByReplica) != 1 {
		t.Errorf("who may not publish was told %+v", got)
	}
}

// TestCluster: keys and channel are in one slot.
func TestCluster(t *testing.T) {
	t.Parallel()
	addrs := redistest.StartCluster(t)
	var all []*running
	for i, name := range []string{"a", "b"} {
		client, err := redisclient.New(redisclient.Config{URL: "redis+cluster://" + addrs[i] + "?addr=" + addrs[2], Patience: CallTimeout})
		if err != nil {
			t.Fatal(err)
		}
		f, err := New(Options{Redis: client, Scope: "test", Replica: name, Heartbeat: testHeartbeat})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			_ = f.Run(ctx)
		}()
		t.Cleanup(func() {
			cancel()
			<-ended
			_ = client.Close()
		})
		all = append(all, (&running{Fleet: f}).echo(t))
	}
	for _, r := range all {
		r.see(t, 2)
		// The nodes tell each other of subscriptions when they get to it.
		timetest.Eventually(t, "all replicas answer", func() bool {
			got := r.ask(t, "echo", "x")
			return got.Whole() && len(got.ByReplica) == 2
		})
	}
}
