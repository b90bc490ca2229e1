package client

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// TestTokenIsReplacedAheadOfItsEnd: a tenth of its life ahead, a minute at most; and where
// there is no other one then, it goes on to its end.
func TestTokenIsReplacedAheadOfItsEnd(t *testing.T) {
	t.Parallel()
	for life, ahead := range map[time.Duration]time.Duration{10 * time.Second: time.Second, time.Hour: time.Minute} {
		synctest.Test(t, func(t *testing.T) {
			var away error
			asked := 0
			p, ok := TokenProvider(func(context.Context) (string, time.Time, error) {
				asked++
				return string(rune('a' + asked - 1)), time.Now().Add(life), away
			}).(*provider)
			if !ok {
				t.Fatal("not a provider")
			}
			expect := func(want string, times int) {
				t.Helper()
				if got, err := p.token(t.Context(), ""); got != want || (err == nil) != (want != "") || asked != times {
					t.Errorf("token %q, want %q; asked %d times, want %d; %v", got, want, asked, times, err)
				}
			}
			const tick = time.Millisecond
			expect("a", 1)
			time.Sleep(life - ahead - tick) //nolint:forbidigo // Simulated time.
			expect("a", 1)
			time.Sleep(tick) //nolint:forbidigo // As above.
			expect("b", 2)
			time.Sleep(life - ahead) //nolint:forbidigo // As above.
			away = errors.New("the platform is away")
			expect("b", 3)
			time.Sleep(ahead) //nolint:forbidigo // As above.
			expect("", 4)
			away = nil
			expect("e", 5)
		})
	}
}
