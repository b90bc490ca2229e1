package redisledger

import (
	"bytes"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/admin-gateway/admin-gateway/internal/redisclient"
	"github.com/admin-gateway/admin-gateway/internal/redistest"
	"github.com/admin-gateway/admin-gateway/lease"
	"github.com/admin-gateway/admin-gateway/lease/internal/layout"
	"github.com/admin-gateway/admin-gateway/lease/ledgertest"
)

// TestSecretsInRedis: Redis has no secret in the clear, none at all without keys, and
// none that passes for another lease's.
func TestSecretsInRedis(t *testing.T) {
	t.Parallel()
	client := newClient(t, redistest.Start(t))
	l := open(t, client, testOptions(t))
	a := ledgertest.Advance(t, l, ledgertest.Create(t, l, ledgertest.NewDraft("1")), lease.Issued)
	b := ledgertest.Advance(t, l, ledgertest.Create(t, l, ledgertest.NewDraft("2")), lease.Issued)
	if _, err := l.KeepAccount(t.Context(), lease.ServiceAccount{ProjectID: "proj_a", Name: "search", ID: "svc_a"}); err != nil {
		t.Fatal(err)
	}
	document := lease.Document{Name: "rotation", Secret: ledgertest.SecretOf("the gateway")}
	if _, err := l.PutDocument(t.Context(), document); err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, key := range l.keys {
		dump, err := client.Dump(t.Context(), key).Result()
		if err != nil {
			t.Fatal(err)
		}
		all.WriteString(dump)
	}
	sealed, err := client.HGetAll(t.Context(), l.key(secretsKey)).Result()
	if err != nil || len(sealed) != 2 || strings.Contains(all.String()+sealed[a.ID], "sk-of-") {
		t.Fatalf("%d secrets, %v", len(sealed), err)
	}

	rotated := testOptions(t)
	rotated.Sealer = testSealer(t, 2)
	_, err = open(t, client, rotated).Secret(t.Context(), a.ID)
	if !errors.Is(err, lease.ErrSecretLost) {
		t.Errorf("with another key: %v", err)
	}
	if err := client.HSet(t.Context(), l.key(secretsKey), a.ID, sealed[b.ID]).Err(); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Secret(t.Context(), a.ID); !errors.Is(err, lease.ErrSecretLost) {
		t.Errorf("another lease's secret: %v", err)
	}

	if _, err := open(t, client, rotated).Document(t.Context(), document.Name); !errors.Is(err, lease.ErrSecretLost) {
		t.Errorf("a document, with another key: %v", err)
	}

	without := testOptions(t)
	without.Sealer = nil
	keyless := open(t, client, without)
	if _, err := keyless.PutDocument(t.Context(), lease.Document{Name: "other", Secret: document.Secret}); !errors.Is(err, lease.ErrNoSecret) {
		t.Errorf("a secret of a document, without keys: %v", err)
	}
	c := ledgertest.Advance(t, keyless, ledgertest.Create(t, keyless, ledgertest.NewDraft("3")), lease.Issued)
	_, err = l.Secret(t.Context(), c.ID)
	if info, infoErr := keyless.Info(t.Context()); !errors.Is(err, lease.ErrNoSecret) || !c.SecretUntil.IsZero() || infoErr != nil || info.KeepsSecrets {
		t.Errorf("without keys: %v, until %v, %+v, %v", err, c.SecretUntil, info, infoErr)
	}
}

// TestFindings: what may lose leases is said, and what Redis does not tell is unknown.
func TestFindings(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		config map[string]string
		rules  string
		want   [3]redisclient.Level
	}{
		"as it should be":     {map[string]string{"maxmemory-policy": "noeviction", "appendonly": "yes"}, "", [3]redisclient.Level{redisclient.Good, redisclient.Good, redisclient.Good}},
		"no persistence":      {map[string]string{"maxmemory-policy": "noeviction"}, "", [3]redisclient.Level{redisclient.Good, redisclient.Risky, redisclient.Good}},
		"snapshots":           {map[string]string{"save": "60 1"}, "", [3]redisclient.Level{redisclient.Good, redisclient.Risky, redisclient.Good}},
		"evicts":              {map[string]string{"maxmemory-policy": "allkeys-lru"}, "", [3]redisclient.Level{redisclient.Risky, redisclient.Risky, redisclient.Good}},
		"evicts what expires": {map[string]string{"maxmemory-policy": "volatile-ttl"}, "", [3]redisclient.Level{redisclient.Good, redisclient.Risky, redisclient.Good}},
		"no CONFIG":           {nil, "-config", [3]redisclient.Level{redisclient.Good, redisclient.Unknown, redisclient.Good}},
		"no CONFIG nor INFO":  {nil, "-config -info", [3]redisclient.Level{redisclient.Unknown, redisclient.Unknown, redisclient.Unknown}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			addr := redistest.Start(t)
			admin := redistest.Client(t, addr)
			for key, value := range test.config {
				if err := admin.ConfigSet(t.Context(), key, value).Err(); err != nil {
					t.Fatal(err)
				}
			}
			redistest.SetUser(t, addr, "gw", "on >pw ~gw:* &* +@all "+test.rules)
			client := newClient(t, "gw:pw@"+addr)
			findings, err := open(t, client, testOptions(t)).Findings(t.Context())
			if err != nil || len(findings) != len(test.want) {
				t.Fatalf("%+v, %v", findings, err)
			}
			for i, f := range findings {
				if f.Level != test.want[i] || f.Text == "" || f.Name == "" {
					t.Errorf("%+v, want %v", f, test.want[i])
				}
			}
		})
	}
}

// ledgerACL is what docs/ledger.md tells the operator to allow.
const ledgerACL = "resetkeys resetchannels -@all ~gw:* +eval +evalsha +multi +exec +time +info +hget +hset +hdel +hmget " +
	"+hgetall +hexists +hincrby +hscan +exists +zadd +zrem +zrangebylex +zlexcount +zscore +zscan +xadd +xrange +ping"

// TestLedgerACL: the ledger does with the commands that the page names, in a cluster too.
func TestLedgerACL(t *testing.T) {
	t.Parallel()
	addr := redistest.Start(t)
	redistest.SetUser(t, addr, "gw", "on >pw "+ledgerACL)
	l := open(t, newClient(t, "gw:pw@"+addr), testOptions(t))
	exercise(t, l)
}

// exercise calls every method once, with success.
func exercise(t *testing.T, l *Ledger) {
	t.Helper()
	ctx := t.Context()
	r := ledgertest.Create(t, l, ledgertest.NewDraft("exercise"))
	claimed, err := l.Claim(ctx, r.ID, "me", time.Minute)
	if err = errors.Join(err, l.Release(ctx, r.ID, claimed.Fence)); err != nil {
		t.Fatal(err)
	}
	r = ledgertest.Advance(t, l, r, lease.Issued)
	_, secretErr := l.Secret(ctx, r.ID)
	r = ledgertest.Advance(t, l, r, lease.Revoking, lease.Revoked)
	_, getErr := l.Get(ctx, r.ID)
	_, listErr := l.List(ctx, lease.Query{PageSize: 1})
	_, dueErr := l.Due(ctx, lease.DueQuery{Kind: lease.DueForget, Now: r.ForgetAt, PageSize: 1})
	_, countsErr := l.Counts(ctx)
	info, infoErr := l.Info(ctx)
	_, eventsErr := l.Events(ctx, lease.EventQuery{After: info.Sequence - 1, PageSize: 1})
	term, leadErr := l.Lead(ctx, "gw-1", time.Minute)
	_, findingsErr := l.Findings(ctx)
	ledgertest.Sound(t, l)
	if err := errors.Join(
		secretErr, getErr, listErr, dueErr, countsErr, infoErr, eventsErr, leadErr, findingsErr,
		l.Resign(ctx, term), l.Forget(ctx, r.ID, r.Version), l.Import(ctx, []lease.Record{r}),
	); err != nil {
		t.Fatal(err)
	}
}

// TestCheckFindsDamage: whatever part of a lease is taken away or added, a check says.
func TestCheckFindsDamage(t *testing.T) {
	t.Parallel()
	newSubject := subjects(t)
	for name, damage := range map[string][]any{
		"no row":         {"hdel", rowsKey, "ID"},
		"no head":        {"hdel", headsKey, "ID"},
		"no secret":      {"hdel", secretsKey, "ID"},
		"another secret": {"hset", secretsKey, "other", "x"},
		"a key missing":  {"zrem", indexKey, "aC\nID"},
		"a key too many": {"zadd", indexKey, 0, "aD\nID"},
		"a wrong count":  {"hincrby", countsKey, "R" + ledgertest.Role, 1},
		"no count":       {"hdel", countsKey, "R" + ledgertest.Role},
		"a wrong row":    {"hset", rowsKey, "ID", "{}"},
	} {
		l, ok := newSubject(t).Replica(t).(*Ledger)
		if !ok {
			t.Fatal("no ledger of Redis")
		}
		r := ledgertest.Advance(t, l, ledgertest.Create(t, l, ledgertest.NewDraft("1")), lease.Issued)
		ledgertest.Sound(t, l)
		args := []any{damage[0], l.key(damage[1].(int))} //nolint:forcetypeassert // As it is above.
		for _, arg := range damage[2:] {
			if s, ok := arg.(string); ok {
				arg = strings.ReplaceAll(s, "ID", r.ID)
			}
			args = append(args, arg)
		}
		if err := l.client.Do(t.Context(), args...).Err(); err != nil {
			t.Fatal(err)
		}
		if report, err := l.Check(t.Context()); err != nil || report.Found == 0 {
			t.Errorf("%s: %+v, %v", name, report, err)
		}
	}
}

// nextForm is a form that a later build could have: a record has another member, and
// is found by its project as well.
func nextForm() form {
	return form{
		schema: layout.Schema + 1,
		keys: func(r *lease.Record) layout.Keys {
			k := layout.Of(r)
			k.Index = append(k.Index, "p"+r.ProjectID+"\n"+r.ID)
			return k
		},
		migrate: func(data []byte) ([]byte, error) {
			var members map[string]any
			if err := json.Unmarshal(data, &members); err != nil {
				return nil, err
			}
			members["cause"] = "migrated"
			return json.Marshal(members)
		},
	}
}

// TestRedisMigration: a newer build brings the ledger to its form, also after one that was
// cut off in the middle; older builds are refused from then on, and while it lasts.
func TestRedisMigration(t *testing.T) {
	t.Parallel()
	const leases = 3*scanBatch + 1
	client := newClient(t, redistest.Start(t))
	old := open(t, client, testOptions(t))
	for i := range leases {
		r := ledgertest.Create(t, old, ledgertest.NewDraft(strconv.Itoa(i)))
		if i%2 == 0 {
			ledgertest.Advance(t, old, r, lease.Issued)
		}
	}
	options := testOptions(t)
	options.form = nextForm()
	broken, stop := nextForm(), errors.New("killed")
	n := 0
	whole := broken.migrate
	broken.migrate = func(data []byte) ([]byte, error) {
		if n++; n > leases/2 {
			return nil, stop
		}
		return whole(data)
	}
	cut := testOptions(t)
	cut.form = broken
	if _, err := Open(t.Context(), client, cut); !errors.Is(err, stop) {
		t.Fatal(err)
	}
	refused := func(when string) {
		t.Helper()
		_, createErr := old.Create(t.Context(), ledgertest.NewDraft("late"))
		_, listErr := old.List(t.Context(), lease.Query{PageSize: 1})
		_, openErr := Open(t.Context(), client, testOptions(t))
		for _, err := range []error{createErr, listErr, openErr} {
			if !errors.Is(err, lease.ErrSchema) {
				t.Errorf("an older build %s: %v", when, err)
			}
		}
	}
	refused("while it lasts")
	// The one that was cut off holds the migration for a while.
	if err := client.HSet(t.Context(), old.key(metaKey), "migrates", "0").Err(); err != nil {
		t.Fatal(err)
	}
	l := open(t, client, options)
	refused("after it")
	if n := ledgertest.Sound(t, l); n != leases {
		t.Errorf("%d leases", n)
	}
	for _, r := range ledgertest.All(t, l, lease.Query{PageSize: lease.MaxPage}) {
		if r.Cause != "migrated" {
			t.Fatalf("lease %s was not migrated", r.ID)
		}
		if secret, err := l.Secret(t.Context(), r.ID); r.State == lease.Issued && (err != nil || !bytes.Equal(secret.Reveal(), ledgertest.SecretOf(r.ID).Reveal())) {
			t.Fatalf("the secret of lease %s: %v", r.ID, err)
		}
	}
	indexed, err := client.ZLexCount(t.Context(), l.key(indexKey), "[pproj_search\n", "(pproj_search\v").Result()
	if err != nil || indexed != leases {
		t.Errorf("%d are found by project, %v", indexed, err)
	}
	exercise(t, open(t, client, options))
	// Two versions on are none.
	far := testOptions(t)
	far.form = nextForm()
	far.form.schema++
	far.form.schema++
	if _, err := Open(t.Context(), client, far); !errors.Is(err, lease.ErrSchema) {
		t.Error(err)
	}
}

// TestMigrationIsTakenOver: of two replicas that migrate, the one that was too slow stops,
// and spoils nothing.
func TestMigrationIsTakenOver(t *testing.T) {
	t.Parallel()
	client := newClient(t, redistest.Start(t))
	old := open(t, client, testOptions(t))
	for i := range scanBatch {
		ledgertest.Create(t, old, ledgertest.NewDraft(strconv.Itoa(i)))
	}
	options, slow := testOptions(t), testOptions(t)
	options.form, slow.form = nextForm(), nextForm()
	taken := false
	slow.form.migrate = func(data []byte) ([]byte, error) {
		if !taken {
			taken = true
			if err := client.HSet(t.Context(), old.key(metaKey), "migrates", "0").Err(); err != nil {
				t.Fatal(err)
			}
			l := open(t, client, options)
			r := ledgertest.All(t, l, lease.Query{PageSize: 1})[0]
			ledgertest.Advance(t, l, r, lease.Issued)
		}
		return data, nil
	}
	if _, err := Open(t.Context(), client, slow); !errors.Is(err, lease.ErrFenced) {
		t.Errorf("the slow one: %v", err)
	}
	l := open(t, client, options)
	if n := ledgertest.Sound(t, l); n != scanBatch {
		t.Errorf("%d leases", n)
	}
	for _, r := range ledgertest.All(t, l, lease.Query{States: []lease.State{lease.Intent}, PageSize: lease.MaxPage}) {
		if r.Cause != "migrated" {
			t.Fatalf("lease %s has its old form", r.ID)
		}
	}
}

// TestRedisRunsOutOfMemory: what Redis refuses when it is full is not done at all.
func TestRedisRunsOutOfMemory(t *testing.T) {
	t.Parallel()
	client := newClient(t, redistest.Start(t))
	options := testOptions(t)
	options.BreakerPause = time.Nanosecond
	l := open(t, client, options)
	r := ledgertest.Create(t, l, ledgertest.NewDraft("1"))
	if err := client.ConfigSet(t.Context(), "maxmemory", "1").Err(); err != nil {
		t.Fatal(err)
	}
	_, createErr := l.Create(t.Context(), ledgertest.NewDraft("2"))
	_, updateErr := l.Update(t.Context(), ledgertest.Step(t, r, lease.Issued))
	if !errors.Is(createErr, lease.ErrUnavailable) || !errors.Is(updateErr, lease.ErrUnavailable) {
		t.Errorf("%v; %v", createErr, updateErr)
	}
	if err := client.ConfigSet(t.Context(), "maxmemory", "0").Err(); err != nil {
		t.Fatal(err)
	}
	got, err := l.Get(t.Context(), r.ID)
	if err != nil || got.State != lease.Intent || ledgertest.Sound(t, l) != 1 {
		t.Errorf("%v, %v", got.State, err)
	}
}

// TestOrganizationsAreApart: the leases of one organization are not those of another, in one
// slot of a cluster each.
func TestOrganizationsAreApart(t *testing.T) {
	t.Parallel()
	client := newClient(t, redistest.Start(t))
	other := testOptions(t)
	other.Organization = "org_2"
	a, b := open(t, client, testOptions(t)), open(t, client, other)
	r := ledgertest.Create(t, a, ledgertest.NewDraft("1"))
	if _, err := b.Get(t.Context(), r.ID); !errors.Is(err, lease.ErrNotFound) {
		t.Error(err)
	}
	for _, key := range a.keys {
		if !strings.HasPrefix(key, "gw:{org_1}:lease:") {
			t.Errorf("%s is in another slot", key)
		}
	}
}
