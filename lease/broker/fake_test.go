package broker

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/admin-gateway/admin-gateway/lease"
	"github.com/admin-gateway/admin-gateway/lease/fileledger"
	"github.com/admin-gateway/admin-gateway/lease/marker"
	"github.com/admin-gateway/admin-gateway/service/roles"
)

// fakeUpstream has keys and accounts. fail says what becomes of a call: nothing, or an
// error of an outcome. With Unknown the call is done when late says so.
type fakeUpstream struct {
	mu       sync.Mutex
	keys     map[string]*FoundKey
	accounts map[string]*FoundAccount
	enabled  map[string]bool
	calls    []string
	n        int
	// ever are the keys that were ever made, with their ends.
	ever map[string]time.Time

	fail    func(op string) error
	lost    func(op string) bool // done, and the answer lost
	outlook Outlook
	during  func(op string)
}

func newFakeUpstream() *fakeUpstream {
	return &fakeUpstream{
		keys: make(map[string]*FoundKey), accounts: make(map[string]*FoundAccount), enabled: make(map[string]bool), ever: make(map[string]time.Time),
	}
}

// behave changes how the upstream behaves, also beside calls.
func (f *fakeUpstream) behave(change func(*fakeUpstream)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(f)
}

func (f *fakeUpstream) call(op string, do func() error) error {
	f.mu.Lock()
	during := f.during
	f.mu.Unlock()
	if during != nil {
		during(op)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, op)
	if f.fail != nil {
		if err := f.fail(op); err != nil {
			return err
		}
	}
	err := do()
	if err == nil && f.lost != nil && f.lost(op) {
		return &UpstreamError{Outcome: Unknown, Err: errors.New("the answer was lost")}
	}
	return err
}

func gone() error { return &UpstreamError{Outcome: Gone, Err: errors.New("404")} }

func (f *fakeUpstream) id(prefix string) string {
	f.n++
	return fmt.Sprintf("%s_%04d", prefix, f.n)
}

func (f *fakeUpstream) alive(k *FoundKey) bool { return time.Now().Before(k.Expires) }

func (f *fakeUpstream) CreateKey(ctx context.Context, _ Errand, key NewKey) (made MadeKey, err error) {
	if ctx.Err() != nil {
		return made, &UpstreamError{Outcome: NotSent, Err: ctx.Err()}
	}
	err = f.call("create_key", func() error {
		if f.accounts[key.ServiceAccountID] == nil {
			return gone()
		}
		seconds := time.Until(key.Expires).Truncate(time.Second)
		id := f.id("key")
		end := time.Now().Add(seconds)
		f.keys[id] = &FoundKey{ProjectID: key.ProjectID, ServiceAccountID: key.ServiceAccountID, ID: id, Name: key.Name, Created: time.Now(), Expires: end}
		f.ever[id] = end
		made = MadeKey{ID: id, Secret: "sk-" + id, Expires: end}
		return nil
	})
	return made, err
}

func (f *fakeUpstream) Prolong(_ context.Context, _ Errand, _, keyID string, until time.Time) (end time.Time, err error) {
	err = f.call("prolong", func() error {
		key := f.keys[keyID]
		if key == nil {
			return gone()
		}
		if !f.alive(key) {
			return &UpstreamError{Outcome: Refused, Err: errors.New("expired")}
		}
		end = time.Now().Add(time.Until(until).Truncate(time.Second))
		key.Expires, f.ever[keyID] = end, end
		return nil
	})
	return end, err
}

func (f *fakeUpstream) DeleteKey(_ context.Context, _ Errand, _, keyID string) error {
	return f.call("delete_key", func() error {
		if f.keys[keyID] == nil {
			return gone()
		}
		f.ever[keyID] = time.Now()
		delete(f.keys, keyID)
		return nil
	})
}

func (f *fakeUpstream) CreateAccount(_ context.Context, _ Errand, projectID, name string) (id string, err error) {
	err = f.call("create_account", func() error {
		id = f.id("svc")
		f.accounts[id] = &FoundAccount{ProjectID: projectID, ID: id, Name: name, Created: time.Now()}
		return nil
	})
	return id, err
}

func (f *fakeUpstream) EnableAccount(_ context.Context, _ Errand, _, id string) error {
	return f.call("enable_account", func() error {
		if f.accounts[id] == nil {
			return gone()
		}
		f.enabled[id] = true
		return nil
	})
}

func (f *fakeUpstream) DeleteAccount(_ context.Context, _ Errand, _, id string) error {
	return f.call("delete_account", func() error {
		if f.accounts[id] == nil {
			return gone()
		}
		delete(f.accounts, id)
		for keyID, key := range f.keys {
			if key.ServiceAccountID == id {
				f.ever[keyID] = time.Now()
				delete(f.keys, keyID)
			}
		}
		return nil
	})
}

func (f *fakeUpstream) Keys(_ context.Context, _ Errand, projectID string) iter.Seq2[FoundKey, error] {
	return func(yield func(FoundKey, error) bool) {
		var all []FoundKey
		if err := f.call("list_keys", func() error {
			for _, id := range slices.Sorted(maps.Keys(f.keys)) {
				if f.keys[id].ProjectID == projectID {
					all = append(all, *f.keys[id])
				}
			}
			return nil
		}); err != nil {
			yield(FoundKey{}, err)
			return
		}
		for _, key := range all {
			if !yield(key, nil) {
				return
			}
		}
	}
}

func (f *fakeUpstream) Accounts(_ context.Context, _ Errand, projectID string) iter.Seq2[FoundAccount, error] {
	return func(yield func(FoundAccount, error) bool) {
		var all []FoundAccount
		if err := f.call("list_accounts", func() error {
			for _, id := range slices.Sorted(maps.Keys(f.accounts)) {
				if f.accounts[id].ProjectID == projectID {
					all = append(all, *f.accounts[id])
				}
			}
			return nil
		}); err != nil {
			yield(FoundAccount{}, err)
			return
		}
		for _, account := range all {
			if !yield(account, nil) {
				return
			}
		}
	}
}

func (f *fakeUpstream) Revocations() Outlook {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.outlook
}

// living are the names of the keys that work, in order.
func (f *fakeUpstream) living() (names []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, key := range f.keys {
		if f.alive(key) {
			names = append(names, key.Name)
		}
	}
	slices.Sort(names)
	return names
}

// made is the number of calls.
func (f *fakeUpstream) made() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.calls)
}

func (f *fakeUpstream) count(op string) (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, call := range f.calls {
		if call == op {
			n++
		}
	}
	return n
}

// rig is a broker on a file, with a fake upstream.
type rig struct {
	*Broker

	up     *fakeUpstream
	ledger lease.Ledger
	roles  *roles.Set
}

func role(edit func(*roles.Definition)) roles.Definition {
	d := roles.Definition{
		Name: "search", Project: "proj_search", ServiceAccount: "search", Scopes: []string{"api.model.request"},
		TTL: new(time.Hour), MaxTTL: new(24 * time.Hour),
	}
	if edit != nil {
		edit(&d)
	}
	return d
}

func newRig(t *testing.T, definitions ...roles.Definition) *rig {
	t.Helper()
	if len(definitions) == 0 {
		definitions = []roles.Definition{role(nil)}
	}
	set, err := roles.New(definitions)
	if err != nil {
		t.Fatal(err)
	}
	ledger, err := fileledger.Open(fileledger.Options{Path: t.TempDir() + "/leases.db"})
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{up: newFakeUpstream(), ledger: ledger, roles: set}
	r.Broker = r.another(t)
	t.Cleanup(func() { _ = ledger.Close() })
	return r
}

// another is another replica on the same ledger.
func (r *rig) another(t *testing.T) *Broker {
	t.Helper()
	m, err := marker.New("org_1", make([]byte, marker.KeyBytes))
	if err != nil {
		t.Fatal(err)
	}
	b, err := New(Options{Ledger: r.ledger, Upstream: r.up, Marker: m, Roles: func() Roles { return r.roles }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b
}

// keeping runs the keeper of a broker until the test ends.
func keeping(t *testing.T, b *Broker, o KeeperOptions) *Keeper {
	t.Helper()
	k := NewKeeper(b, o)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); k.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	return k
}

func request(id string) CreateRequest {
	return CreateRequest{Caller: "team", RequestID: id, Role: "search", MaxLive: 1000, MintsPerHour: 10_000}
}

func reasonOf(err error) Reason {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Reason
	}
	return ""
}
