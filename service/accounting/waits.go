package accounting

import (
	"sync"
	"time"
)

// Waits is how long a call has waited: for the upstream's budget, and for what another
// call or another replica was fetching. A fetch may outlive the call that began it, so
// many goroutines may write. The zero value has not waited.
type Waits struct {
	mu sync.Mutex
	// over is the time of the waits that are over, and longest that of the one for bucket.
	over, longest time.Duration
	bucket        string
	// since is when the wait began that is under way, for bucket now; zero without one.
	since time.Time
	now   string
	// joined are those of the call whose fetch this one shares.
	joined *Waits
}

// Begin begins a wait for a bucket of the budget; "" for anything else. The function that
// it returns ends the wait; only its first call does.
func (w *Waits) Begin(bucket string) (end func()) {
	began := time.Now()
	w.mu.Lock()
	w.since, w.now = began, bucket
	w.mu.Unlock()
	return sync.OnceFunc(func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.since, w.now = time.Time{}, ""
		w.add(time.Since(began), bucket)
	})
}

// add adds a wait that is over. The lock is held.
func (w *Waits) add(d time.Duration, bucket string) {
	w.over += d
	if bucket != "" && (w.bucket == "" || d > w.longest) {
		w.bucket, w.longest = bucket, d
	}
}

// Shared adds the time that the call has waited for the fetch of another one.
func (w *Waits) Shared(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.add(d, "")
}

// Join says that the call shares the fetch of another one: what that waits for, this one
// waits for.
func (w *Waits) Join(fetch *Waits) {
	if w == fetch {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.joined = fetch
}

// Include adds the waits of a call that was a part of this one.
func (w *Waits) Include(part *Waits) {
	took, bucket := part.Read()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.add(took, bucket)
}

// Read is how long the call has waited so far, and the bucket for which it waited longest,
// or took a call from without a wait; "" where it asked for no budget. The waits of a call
// that has parts are those of all of them, one after another.
func (w *Waits) Read() (took time.Duration, bucket string) {
	w.mu.Lock()
	took, bucket = w.over, w.bucket
	if !w.since.IsZero() {
		now := time.Since(w.since)
		took += now
		if w.now != "" && (bucket == "" || now > w.longest) {
			bucket = w.now
		}
	}
	joined := w.joined
	w.mu.Unlock()
	if bucket == "" && joined != nil {
		bucket = joined.asked() // Without the lock: two calls may know of each other.
	}
	return took, bucket
}

// asked is the bucket that the call itself has asked.
func (w *Waits) asked() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.bucket == "" {
		return w.now
	}
	return w.bucket
}
