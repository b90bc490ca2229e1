package standby

import (
	"bytes"
	"runtime"
	"testing"
	"testing/synctest"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// self names the goroutine that asks, as its stack does.
func self() string {
	var room [64]byte
	name, _, _ := bytes.Cut(room[:runtime.Stack(room[:], false)], []byte(" ["))
	return string(name)
}

// TestTheNextRunsOnTheSame: a function runs on the goroutine that ran the one before.
func TestTheNextRunsOnTheSame(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := New(1)
		defer g.Close()
		var first, second string
		g.Go(func() { first = self() })
		synctest.Wait()
		g.Go(func() { second = self() })
		synctest.Wait()
		if first == "" || first != second {
			t.Errorf("%q and then %q", first, second)
		}
	})
}

// TestFunctionsDoNotWait: there is a goroutine for each function that runs, and no more
// than were asked for stand by afterwards.
func TestFunctionsDoNotWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const most, many = 3, 10
		g := New(most)
		defer g.Close()
		for range 2 { // The second time, some stand by.
			release := make(chan struct{})
			entered := make(chan struct{}, many)
			for range many {
				g.Go(func() {
					entered <- struct{}{}
					<-release
				})
			}
			synctest.Wait()
			if running := len(entered); running != many {
				t.Errorf("%d of %d functions run", running, many)
			}
			close(release)
			synctest.Wait()
			if idle := g.idle.Load(); idle != most {
				t.Errorf("%d stand by", idle)
			}
		}
	})
}

// TestCloseWaits: Close returns when the last function has, and again.
func TestCloseWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := New(1)
		release, ended, closed := make(chan struct{}), false, make(chan struct{})
		g.Go(func() {
			<-release
			ended = true
		})
		go func() {
			g.Close()
			if !ended {
				t.Error("it was closed before the function had ended")
			}
			g.Close()
			close(closed)
		}()
		synctest.Wait()
		close(release)
		<-closed
	})
}
