package bursts_test

import (
	"errors"
	"runtime"
	"slices"
	"sync"
	"testing"

	"github.com/admin-gateway/admin-gateway/internal/bursts"
)

// journal keeps what happens, in order.
type journal struct {
	mu      sync.Mutex
	entries []string
}

func (j *journal) enter(what string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.entries = append(j.entries, what)
}

// Write implements [io.Writer].
func (j *journal) Write(p []byte) (int, error) {
	j.enter("write")
	return len(p), nil
}

// Handlers that can run do so before the first of them writes, but for the few goroutines
// that the scheduler takes out of turn.
func TestAnswersOfAMomentAreWrittenTogether(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	const answers = 20
	var j journal
	var handlers sync.WaitGroup
	for range answers {
		handlers.Go(func() {
			j.enter("handle")
			if n, err := bursts.Write(&j, []byte("answer")); n != 6 || err != nil {
				t.Errorf("write: %d, %v", n, err)
			}
		})
	}
	handlers.Wait()
	early := 0
	for i, last := 0, lastIndex(j.entries, "handle"); i < last; i++ {
		if j.entries[i] == "write" {
			early++
		}
	}
	if early > answers/4 {
		t.Errorf("%d of %d answers were written before the last request was handled: %q", early, answers, j.entries)
	}
}

func lastIndex(all []string, what string) int {
	for i, s := range slices.Backward(all) {
		if s == what {
			return i
		}
	}
	return -1
}

type failing struct{ err error }

// Write implements [io.Writer].
func (f failing) Write([]byte) (int, error) { return 2, f.err }

func TestAFailureIsTheWriters(t *testing.T) {
	want := errors.New("reset")
	if n, err := bursts.Write(failing{want}, []byte("answer")); n != 2 || !errors.Is(err, want) {
		t.Errorf("write: %d, %v", n, err)
	}
}
