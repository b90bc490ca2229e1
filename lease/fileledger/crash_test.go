package fileledger

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/admin-gateway/admin-gateway/lease"
	"github.com/admin-gateway/admin-gateway/lease/ledgertest"
)

// crashPath, in the environment, makes this test binary a process that works on the
// ledger there until it is killed.
const crashPath = "FILELEDGER_CRASH_PATH"

func TestMain(m *testing.M) {
	if path := os.Getenv(crashPath); path != "" {
		if err := work(path, os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1) //nolint:forbidigo // It is the main of a process.
		}
		return
	}
	goleak.VerifyTestMain(m)
}

// work brings leases through their lives, several at once, and writes a line for each
// change that the ledger has confirmed. It ends with its input.
func work(path string, in io.Reader, out io.Writer) error {
	l, err := Open(Options{Path: path})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		_, _ = io.Copy(io.Discard, in)
		cancel()
	}()
	var mu sync.Mutex
	confirm := func(r lease.Record) {
		mu.Lock()
		defer mu.Unlock()
		_, _ = fmt.Fprintln(out, r.ID, r.Version)
	}
	var all sync.WaitGroup
	for range 3 {
		all.Go(func() {
			for ctx.Err() == nil {
				live(ctx, l, confirm)
			}
		})
	}
	all.Wait()
	return l.Close()
}

// live is the life of one lease. Errors are those of an end.
func live(ctx context.Context, l *Ledger, confirm func(lease.Record)) {
	created, err := l.Create(ctx, ledgertest.NewDraft(lease.NewID(time.Now())))
	if err != nil {
		return
	}
	r := created.Record
	confirm(r)
	for _, next := range []lease.State{lease.Issued, lease.Active, lease.Revoking, lease.Revoked} {
		moved, err := lease.Move(r, next, ledgertest.Begin().Add(time.Minute), "crash")
		if err != nil {
			return
		}
		c := lease.Change{Record: moved, Kind: "crash"}
		if next == lease.Issued {
			c.Record.SecretUntil, c.Secret = ledgertest.Begin().Add(time.Hour), ledgertest.SecretOf(r.ID)
		}
		records, err := l.Update(ctx, c)
		if err != nil {
			return
		}
		r = records[0]
		confirm(r)
	}
	if r.Version%2 == 1 && rand.IntN(2) == 0 {
		_ = l.Forget(ctx, r.ID, r.Version)
	}
}

// TestKilledInTheMiddle kills a process at random points while it changes leases, and
// opens what it has left: all that was confirmed is there, and agrees with itself.
//
// The kill takes the process and not the machine: that bbolt waits for the disk is not
// shown here.
func TestKilledInTheMiddle(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "leases.db")
	confirmed := map[string]uint64{}
	for kill := range 20 {
		child := exec.CommandContext(t.Context(), os.Args[0])
		child.Env = append(os.Environ(), crashPath+"="+path)
		in, inErr := child.StdinPipe()
		out, outErr := child.StdoutPipe()
		if inErr != nil || outErr != nil {
			t.Fatal(inErr, outErr)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for n := rand.IntN(60) + 1; n > 0 && lines.Scan(); n-- {
			note(t, confirmed, lines.Text())
		}
		if err := child.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		for lines.Scan() { // What it had still confirmed.
			note(t, confirmed, lines.Text())
		}
		_ = in.Close()
		if err := child.Wait(); err == nil {
			t.Fatal("it was not killed")
		}

		l, err := Open(Options{Path: path})
		if err != nil {
			t.Fatalf("after kill %d: %v", kill, err)
		}
		ledgertest.Sound(t, l)
		for id, version := range confirmed {
			r, err := l.Get(t.Context(), id)
			if err != nil && version < 5 || err == nil && (r.Version < version || r.Version > version+1) {
				t.Fatalf("lease %s was confirmed in version %d, and is in %d: %v", id, version, r.Version, err)
			}
			if r.State != lease.Issued {
				continue
			}
			if _, err := l.Secret(t.Context(), id); err != nil {
				t.Fatalf("the secret of lease %s: %v", id, err)
			}
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if len(confirmed) < 20 {
		t.Fatalf("only %d leases were begun", len(confirmed))
	}
}

// note reads a line of a process: one that was cut off in the middle counts for nothing.
func note(t *testing.T, confirmed map[string]uint64, line string) {
	t.Helper()
	var id, version string
	if n, _ := fmt.Sscan(line, &id, &version); n != 2 || len(id) != lease.IDLength {
		return
	}
	v, err := strconv.ParseUint(version, 10, 64)
	if err != nil {
		t.Fatalf("%q: %v", line, err)
	}
	confirmed[id] = max(confirmed[id], v)
}
