package adminkey

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/admin-gateway/admin-gateway/lease"
	"github.com/admin-gateway/admin-gateway/lease/fileledger"
)

var theRequest = Request{RequestID: "r1", Caller: "ann"}

func pause(d time.Duration) {
	time.Sleep(d) //nolint:forbidigo // the time of the bubble
	synctest.Wait()
}

// until waits until the rotation is in a phase, or the process is dead.
func (p *process) until(is func(Rotation) bool) Rotation {
	p.t.Helper()
	for range 720 {
		if p.killed() {
			return Rotation{}
		}
		if rotation, _, err := p.Status(p.t.Context()); err == nil && is(rotation) {
			return rotation
		}
		pause(5 * time.Second)
	}
	rotation, waiting, err := p.Status(p.t.Context())
	p.t.Fatalf("after an hour: %+v, %v, %v", rotation, waiting, err)
	return Rotation{}
}

func final(r Rotation) bool { return r.Phase.Final() && r.ID != "" }

// begin begins a rotation, which must be possible.
func (p *process) begin(q Request) Rotation {
	p.t.Helper()
	rotation, err := p.Begin(p.t.Context(), q)
	if err != nil {
		p.t.Fatal(err)
	}
	return rotation
}

// sound is what holds after every rotation: one living key is the gateway's, and it is in
// the file; no key is in the log.
func (w *world) sound() {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.creates > 1 || len(w.admins) != 2 || !w.alive(w.file) {
		w.t.Errorf("%d creates, %d keys, that of the file is alive: %t", w.creates, len(w.admins), w.alive(w.file))
	}
	if strings.Contains(w.logs.String(), "sk-") {
		w.t.Errorf("a key is in the log: %s", w.logs.String())
	}
}

// TestRotation: the file has a new key, and the old one is deleted when calls in flight
// have ended, and not before. The same request again does nothing.
func TestRotation(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		p := w.start(0)
		defer p.end()
		began := p.begin(theRequest)
		draining := p.until(func(r Rotation) bool { return r.Phase == Draining })
		if !w.alive(oldSecret) || w.file == oldSecret {
			t.Errorf("while calls are in flight, the old key lives: %t; the file has %s", w.alive(oldSecret), w.file)
		}
		done := p.until(final)
		if done.Phase != Done || done.ID != began.ID || w.alive(oldSecret) || done.Ended.Sub(draining.Since) < DefaultDrain {
			t.Errorf("%+v, the old key lives: %t", done, w.alive(oldSecret))
		}
		if again := p.begin(theRequest); again.ID != began.ID {
			t.Errorf("the same request began another one: %+v", again)
		}
		d, err := p.Document(t.Context(), documentName)
		if err != nil || !d.Secret.IsZero() {
			t.Errorf("the new key is kept after the end: %v", err)
		}
		w.sound()
		other := p.begin(Request{RequestID: "r2", Caller: "ann"})
		if _, err := p.Begin(t.Context(), theRequest); reasonOf(err) != Running {
			t.Errorf("two at a time: %v", err)
		}
		if p.until(final); other.OldKeyID != done.NewKeyID {
			t.Errorf("the second replaced %s", other.OldKeyID)
		}
		if _, err := p.Begin(t.Context(), theRequest); reasonOf(err) != OtherRequest {
			t.Errorf("a request of long ago: %v", err)
		}
	})
}

func reasonOf(err error) Reason {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Reason
	}
	return 0
}

// TestKilledAtEveryStep: a process is killed before and after each thing that it does,
// and another one goes on. Never are two keys asked for, and in the end one key lives.
func TestKilledAtEveryStep(t *testing.T) {
	t.Parallel()
	var done, failed int
	for killAt := 1; ; killAt++ {
		var survived bool
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			first := w.start(killAt)
			_, err := first.Begin(t.Context(), theRequest)
			if err == nil {
				first.until(final)
			}
			survived = !first.killed()
			first.end()
			next := w.start(0)
			defer next.end()
			next.begin(theRequest)
			rotation := next.until(final)
			switch {
			case rotation.Phase == Done && !w.alive(oldSecret) && w.file != oldSecret:
				done++
			case rotation.Phase == Failed && rotation.Failure == AnswerLost && w.file == oldSecret:
				failed++
			default:
				t.Errorf("killed at %d: %+v", killAt, rotation)
			}
			w.sound()
		})
		if survived || t.Failed() {
			break
		}
	}
	if done < 40 || failed < 3 {
		t.Errorf("%d rotations were finished, %d failed: the kills are not where they should be", done, failed)
	}
}

// TestLostAnswer: a key whose answer was lost is found by its name and deleted, or looked
// for until it cannot come any more; then another rotation may begin.
func TestLostAnswer(t *testing.T) {
	t.Parallel()
	for name, unmade := range map[string]bool{"made": false, "not made": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.lose, w.unmade = true, unmade
				p := w.start(0)
				defer p.end()
				began := p.begin(theRequest)
				rotation := p.until(final)
				if rotation.Failure != AnswerLost || unmade && rotation.Ended.Sub(began.Started) < longestDoubt {
					t.Errorf("%+v", rotation)
				}
				w.sound()
			})
		})
	}
}

// TestComparison: a key that may do more or less than the old one is not used, unless more
// is accepted; one that the upstream does not know at once is waited for.
func TestComparison(t *testing.T) {
	t.Parallel()
	narrow := map[string]bool{"projects": true}
	for name, test := range map[string]struct {
		old     map[string]bool
		late    time.Duration
		allow   bool
		failure Failure
		reads   []string
	}{
		"the same":        {},
		"wider":           {old: narrow, failure: Wider, reads: []string{"users", "audit_logs"}},
		"wider, accepted": {old: narrow, allow: true, reads: []string{"users", "audit_logs"}},
		"known later":     {late: shortestProof / 2},
		"never known":     {late: 24 * time.Hour, failure: Narrower, reads: []string{"projects", "users", "audit_logs"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.admins[1].may = test.old
				w.lateKey = time.Now().Add(test.late)
				p := w.start(0)
				defer p.end()
				p.begin(Request{RequestID: "r1", Caller: "ann", AllowWider: test.allow})
				rotation := p.until(final)
				if rotation.Failure != test.failure || !slices.Equal(rotation.Reads, test.reads) {
					t.Errorf("%+v", rotation)
				}
				w.sound()
			})
		})
	}
}

// TestOldKeyInUse: while somebody uses the old key, it is not deleted, and the status says
// so.
func TestOldKeyInUse(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		p := w.start(0)
		defer p.end()
		p.begin(theRequest)
		p.until(func(r Rotation) bool { return r.Phase == Draining })
		for range 20 {
			w.mu.Lock()
			_, err := w.use(lease.NewSecret([]byte(oldSecret)))
			w.mu.Unlock()
			if err != nil {
				t.Fatalf("the old key was deleted while it was used: %v", err)
			}
			pause(time.Minute)
		}
		if rotation, _, err := p.Status(t.Context()); err != nil || rotation.Trouble == "" || rotation.OldLastUsed.IsZero() {
			t.Errorf("%+v, %v", rotation, err)
		}
		p.until(final)
		w.sound()
	})
}

// TestReplicas: a replica that has a file of its own, and cannot replace it, holds the
// deletion back until it can, or until it is gone; so does one that cannot open the new
// key. A replica that only ends is not waited for.
func TestReplicas(t *testing.T) {
	t.Parallel()
	readOnly := func(w *world) { w.fixed = &FileError{Words: "its folder is read-only"} }
	kill := func(_ *world, p *process) {
		p.boundary.Lock()
		p.dead = true
		p.boundary.Unlock()
		p.stop()
		<-p.done
	}
	for name, test := range map[string]struct {
		breaks  func(*world)
		problem string
		heals   func(*world, *process)
		atOnce  bool // it is not waited for until its life is over
	}{
		"it can again":     {readOnly, "its folder is read-only", func(w *world, _ *process) { w.mu.Lock(); w.fixed = nil; w.mu.Unlock() }, true},
		"it is stopped":    {readOnly, "its folder is read-only", func(_ *world, p *process) { p.stop(); <-p.done }, true},
		"it is killed":     {readOnly, "its folder is read-only", kill, false},
		"other encryption": {func(w *world) { w.sealed = true }, "its encryption keys do not open the new key", kill, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				one, two := newWorld(t), newWorld(t)
				ledger, err := fileledger.Open(fileledger.Options{Path: one.ledger})
				if err != nil {
					t.Fatal(err)
				}
				test.breaks(two)
				first := one.over(ledger, 0)
				// The second has the same upstream, and a file of its own.
				second := two.over(ledger, 0, func(o *Options) { o.Upstream, o.Replica = first, "second" })
				pause(time.Minute)
				first.begin(theRequest)
				pause(30 * time.Minute)
				rotation, waiting, err := first.Status(t.Context())
				if err != nil || rotation.Phase != Switching || len(waiting) != 1 || waiting[0].Replica != "second" || waiting[0].Problem != test.problem {
					t.Errorf("%+v, %+v, %v", rotation, waiting, err)
				}
				if !one.alive(oldSecret) {
					t.Error("the old key was deleted under a replica that uses it")
				}
				test.heals(two, second)
				healed := time.Now()
				draining := first.until(func(r Rotation) bool { return r.Phase == Draining })
				if waited := draining.Since.Sub(healed); test.atOnce != (waited < DefaultMemberLife/4) {
					t.Errorf("it was waited for %v", waited)
				}
				if rotation := first.until(final); rotation.Phase != Done {
					t.Errorf("%+v", rotation)
				}
				one.sound()
				second.stop()
				<-second.done
				first.end()
			})
		})
	}
}

// TestRefusals: what cannot be rotated is refused, and nothing is changed.
func TestRefusals(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(*world)
		q      Request
		want   Reason
	}{
		"a file that cannot be replaced": {change: func(w *world) { w.fixed = &FileError{Words: "no file"} }, q: theRequest, want: NotReplaceable},
		"two keys that look alike": {change: func(w *world) {
			w.admins[0].secret = oldSecret[:20] + "another-0001"
		}, q: theRequest, want: NotFound},
		"two keys, one of them named": {change: func(w *world) {
			w.admins[0].secret = oldSecret[:20] + "another-0001"
		}, q: Request{RequestID: "r1", KeyID: "key_old"}},
		"a key of another form, named": {q: Request{RequestID: "r1", KeyID: "key_other"}, want: NotFound},
		"a key that is refused":        {change: func(w *world) { w.file = "sk-admin-nobody-knows" }, q: theRequest, want: NoUpstream},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			if test.change != nil {
				test.change(w)
			}
			p := w.start(0)
			defer p.end()
			if _, err := p.Begin(t.Context(), test.q); reasonOf(err) != test.want {
				t.Errorf("%s: %v", name, err)
			}
			if _, err := p.Document(t.Context(), documentName); test.want != 0 && !errors.Is(err, lease.ErrNotFound) {
				t.Errorf("%s: it was begun all the same: %v", name, err)
			}
		})
	}
}

// TestShows: a redacted form is that of a key by what it shows.
func TestShows(t *testing.T) {
	t.Parallel()
	key := lease.NewSecret([]byte("sk-admin-abc123xyz"))
	for redacted, want := range map[string]bool{
		"sk-admin...xyz": true, "sk-admin-**********xyz": true, "sk-admin…xyz": true, "...3xyz": true,
		"sk-admin...xyw": false, "sk-user...xyz": false, "sk-admin...": false, "sk-admin...yz": false, "": false,
		"sk-admin-abc123xyz": false, "sk-admin-abc123...abc123xyz": false,
	} {
		if shows(redacted, key) != want {
			t.Errorf("%s: %t", redacted, !want)
		}
	}
}
