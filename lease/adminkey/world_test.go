package adminkey

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/admin-gateway/admin-gateway/lease"
	"github.com/admin-gateway/admin-gateway/lease/fileledger"
	"github.com/admin-gateway/admin-gateway/lease/marker"
)

// admin is an admin key of the world.
type admin struct {
	id, name, secret string
	used             time.Time
	may              map[string]bool // nil: everything
}

// world is an organization, the file of the gateway's key, and a ledger in a file. It
// outlives the processes in it.
type world struct {
	t      *testing.T
	ledger string

	mu      sync.Mutex
	admins  []*admin
	creates int
	file    string
	logs    logs
	// lateKey is not accepted until then.
	lateKey time.Time
	// lose loses the answer to the next create, whether the key is made or not.
	lose, unmade bool
	// sealed hides the new key from the processes here.
	sealed bool
	// fixed says why the file cannot be replaced.
	fixed error
}

// logs are the lines of all processes.
type logs struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logs) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(line)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

const oldSecret = "sk-admin-of-the-beginning-0001"

func newWorld(t *testing.T) *world {
	t.Helper()
	return &world{
		t: t, ledger: filepath.Join(t.TempDir(), "leases.db"), file: oldSecret,
		admins: []*admin{{id: "key_other", name: "ci", secret: "sk-admin-of-somebody-else-0000"}, {id: "key_old", name: "gateway", secret: oldSecret}},
	}
}

// use finds the key of a call, and notes that it was used.
func (w *world) use(with lease.Secret) (*admin, error) {
	for _, a := range w.admins {
		if a.secret != string(with.Reveal()) {
			continue
		}
		if a.id != "key_old" && time.Now().Before(w.lateKey) {
			break
		}
		a.used = time.Now()
		return a, nil
	}
	return nil, &CallError{Outcome: NotMade, Words: "the key is refused"}
}

func (w *world) alive(secret string) bool {
	for _, a := range w.admins {
		if a.secret == secret {
			return true
		}
	}
	return false
}

// errDead is the error of everything that a process does after its end.
var errDead = errors.New("the process was killed")

// process is a replica in the world. At its killAt-th boundary it is killed: a boundary
// is before and after each call to the ledger, the upstream and the file.
type process struct {
	*world
	*Rotator

	store lease.Ledger

	stop context.CancelFunc
	done chan struct{}

	boundary sync.Mutex
	passed   int
	killAt   int
	dead     bool
}

// start starts a process. With killAt 0 it lives.
func (w *world) start(killAt int) *process {
	w.t.Helper()
	ledger, err := fileledger.Open(fileledger.Options{Path: w.ledger})
	if err != nil {
		w.t.Fatal(err)
	}
	return w.over(ledger, killAt)
}

// over starts a process over a ledger that may be that of others.
func (w *world) over(ledger lease.Ledger, killAt int, change ...func(*Options)) *process {
	w.t.Helper()
	p := &process{world: w, store: ledger, killAt: killAt, done: make(chan struct{})}
	mark, err := marker.New("org", make([]byte, marker.KeyBytes))
	if err != nil {
		w.t.Fatal(err)
	}
	o := Options{Ledger: p, Upstream: p, Own: own{p}, Marker: mark, Logger: slog.New(slog.NewTextHandler(&w.logs, nil))}
	for _, f := range change {
		f(&o)
	}
	if p.Rotator, err = New(o); err != nil {
		w.t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	p.stop = stop
	go func() { defer close(p.done); _ = p.Rotator.Run(ctx) }()
	return p
}

// end ends a process, and closes its ledger.
func (p *process) end() {
	p.t.Helper()
	p.stop()
	<-p.done
	if err := p.store.Close(); err != nil {
		p.t.Error(err)
	}
}

// pass is a boundary.
func (p *process) pass() error {
	p.boundary.Lock()
	defer p.boundary.Unlock()
	if p.dead {
		return errDead
	}
	if p.passed++; p.passed == p.killAt {
		p.dead = true
		p.stop()
		return errDead
	}
	return nil
}

func (p *process) killed() bool {
	p.boundary.Lock()
	defer p.boundary.Unlock()
	return p.dead
}

// within makes something between two boundaries.
func within[T any](p *process, act func() (T, error)) (T, error) {
	var none T
	if err := p.pass(); err != nil {
		return none, err
	}
	p.mu.Lock()
	made, err := act()
	p.mu.Unlock()
	if dead := p.pass(); dead != nil {
		return none, dead
	}
	return made, err
}

func (p *process) Info(ctx context.Context) (lease.Info, error) {
	return within(p, func() (lease.Info, error) { return p.store.Info(ctx) })
}

func (p *process) Document(ctx context.Context, name string) (lease.Document, error) {
	return within(p, func() (lease.Document, error) {
		d, err := p.store.Document(ctx, name)
		if err == nil && p.sealed && !d.Secret.IsZero() {
			err = lease.ErrSecretLost
		}
		return d, err
	})
}

func (p *process) PutDocument(ctx context.Context, d lease.Document) (lease.Document, error) {
	if bytes.Contains(d.Data, []byte("sk-")) {
		p.t.Errorf("a key is in the ledger: %s", d.Data)
	}
	return within(p, func() (lease.Document, error) { return p.store.PutDocument(ctx, d) })
}

func (p *process) Create(_ context.Context, _ string, with lease.Secret, name string) (Made, error) {
	return within(p, func() (Made, error) {
		if _, err := p.use(with); err != nil {
			return Made{}, err
		}
		p.creates++
		a := &admin{id: fmt.Sprintf("key_new_%d", p.creates), name: name, secret: fmt.Sprintf("sk-admin-that-is-new-%04d", p.creates+1)}
		if !p.unmade {
			p.admins = append(p.admins, a)
		}
		if p.lose {
			return Made{}, &CallError{Outcome: Unknown, Words: "lost"}
		}
		return Made{ID: a.id, Secret: lease.NewSecret([]byte(a.secret))}, nil
	})
}

func (p *process) List(_ context.Context, _ string, with lease.Secret) ([]Found, error) {
	return within(p, func() ([]Found, error) {
		if _, err := p.use(with); err != nil {
			return nil, err
		}
		var all []Found
		for _, a := range p.admins {
			all = append(all, foundOf(a))
		}
		return all, nil
	})
}

func foundOf(a *admin) Found {
	return Found{ID: a.id, Name: a.name, Redacted: a.secret[:8] + "..." + a.secret[len(a.secret)-4:], LastUsed: a.used}
}

func (p *process) Get(_ context.Context, _ string, with lease.Secret, id string) (Found, error) {
	return within(p, func() (Found, error) {
		if _, err := p.use(with); err != nil {
			return Found{}, err
		}
		for _, a := range p.admins {
			if a.id == id {
				return foundOf(a), nil
			}
		}
		return Found{}, &CallError{Outcome: Gone}
	})
}

func (p *process) Delete(_ context.Context, _ string, with lease.Secret, id string) error {
	_, err := within(p, func() (struct{}, error) {
		by, err := p.use(with)
		if err != nil {
			return struct{}{}, err
		}
		if by.id == id {
			return struct{}{}, &CallError{Outcome: Refused, Words: "no key deletes itself"}
		}
		for i, a := range p.admins {
			if a.id == id {
				if a.secret == p.file {
					p.t.Errorf("the key in the file is deleted")
				}
				p.admins = append(p.admins[:i:i], p.admins[i+1:]...)
				return struct{}{}, nil
			}
		}
		return struct{}{}, &CallError{Outcome: Gone}
	})
	return err
}

func (p *process) Reads() []string { return []string{"projects", "users", "audit_logs"} }

func (p *process) May(_ context.Context, _ string, with lease.Secret, read string) (bool, error) {
	return within(p, func() (bool, error) {
		a, err := p.use(with)
		if err != nil {
			return false, nil //nolint:nilerr // That is the answer.
		}
		return a.may == nil || a.may[read], nil
	})
}

// own is the file of the key.
type own struct{ p *process }

func (o own) Key(context.Context) (lease.Secret, error) {
	return within(o.p, func() (lease.Secret, error) { return lease.NewSecret([]byte(o.p.file)), nil })
}

func (o own) Replaceable() error { return o.p.fixed }

func (o own) Replace(_ context.Context, current, next lease.Secret) error {
	_, err := within(o.p, func() (struct{}, error) {
		if o.p.fixed != nil {
			return struct{}{}, o.p.fixed
		}
		if o.p.file == string(current.Reveal()) {
			o.p.file = string(next.Reveal())
		}
		return struct{}{}, nil
	})
	return err
}
