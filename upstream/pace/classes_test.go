package pace

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// minting is 40 teams that mint in a loop.
func minting(ctx context.Context, c *crowd, bucket string) {
	for i := range 40 {
		c.work(ctx, fmt.Sprint("team", i), Mint, 1, bucket)
	}
}

// teams is how many of the calls in a log are those of teams, and the most and the least
// of one of them.
func teams(log []string) (all, most, least int) {
	counts := make(map[string]int)
	for _, caller := range log {
		if strings.HasPrefix(caller, "team") {
			all++
			counts[caller]++
		}
	}
	least = all
	for i := range 40 {
		most, least = max(most, counts[fmt.Sprint("team", i)]), min(least, counts[fmt.Sprint("team", i)])
	}
	return all, most, least
}

// revokeWhileTeamsMint lets 40 teams mint, revokes 100 keys in a class, and returns the
// calls from then on until the last of the keys is revoked, and the time that it took.
func revokeWhileTeamsMint(t *testing.T, options Options, class Class, mints, deletes string, more func(context.Context, *crowd)) (log []string, took time.Duration) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		c := newCrowd(t, newPacer(t, options))
		minting(ctx, c, mints)
		if more != nil {
			more(ctx, c)
		}
		time.Sleep(10 * time.Minute) //nolint:forbidigo // the time of the bubble
		c.mu.Lock()
		before, start := len(c.log), time.Now()
		c.mu.Unlock()
		s := newScript(t)
		for range 100 {
			s.all.Go(func() {
				_, err := c.p.Wait(as(ctx, "revoker", class), deletes)
				c.mu.Lock()
				c.log = append(c.log, "revoker")
				c.mu.Unlock()
				s.results <- result{err: err}
			})
		}
		for range 100 {
			if got := <-s.results; got.err != nil {
				t.Error(got.err)
			}
		}
		took = time.Since(start)
		c.mu.Lock()
		log = c.log[before:]
		c.mu.Unlock()
		cancel()
		c.all.Wait()
		s.all.Wait()
	})
	return log, took
}

// ofSeven is the time between two calls of 7 a minute with a burst of one.
const ofSeven = time.Minute * 1025 / 1000 / 7

// TestUrgentRevocationsWhileTeamsMint: 100 urgent revocations under 7 calls a minute,
// while 40 teams mint. In one bucket they have nine tokens of ten. In buckets of their own
// and with an organization's budget that is short, the same; with one that is not, nobody
// waits for anybody.
func TestUrgentRevocationsWhileTeamsMint(t *testing.T) {
	seven := Limit{7, 1}
	for name, test := range map[string]struct {
		options        Options
		mints, deletes string
		share          float64
		interval       time.Duration
	}{
		"one bucket":            {Options{Organization: roomy, Default: seven}, "keys", "keys", 0.9, ofSeven},
		"a short organization":  {Options{Organization: seven, Default: Limit{60, 5}}, "create", "delete", 0.9, ofSeven},
		"an organization of 60": {Options{Organization: Limit{60, 5}, Default: seven}, "create", "delete", 0.5, ofSeven / 2},
	} {
		t.Run(name, func(t *testing.T) {
			test.options.MintShare = 0.2
			log, took := revokeWhileTeamsMint(t, test.options, Urgent, test.mints, test.deletes, nil)
			mints, _, _ := teams(log)
			share := 100 / float64(100+mints)
			t.Logf("%d mints beside 100 urgent revocations, in %s", mints, took)
			if share < test.share-0.02 || share > test.share+0.02 {
				t.Errorf("urgent revocations have %.2f of the tokens", share)
			}
			if want := time.Duration(100/test.share) * test.interval; took < want*9/10 || took > want*11/10 {
				t.Errorf("it took %s, want %s", took, want)
			}
			if first := log[0]; test.share == 0.9 && first != "revoker" {
				t.Errorf("%s went first", first)
			}
		})
	}
}

// TestRevocationsLeaveMintsAShare: 100 revocations that are not urgent leave 40 teams
// that mint their share of the tokens and no more, and the teams take turns in it.
func TestRevocationsLeaveMintsAShare(t *testing.T) {
	for name, options := range map[string]Options{
		"bucket":       {Organization: roomy, Default: Limit{7, 1}},
		"organization": {Organization: Limit{7, 1}, Default: Limit{60, 5}},
	} {
		for _, share := range []float64{0, 0.2, 0.5, 0.9} {
			t.Run(fmt.Sprintf("%s, %g", name, share), func(t *testing.T) {
				mints, deletes := "keys", "keys"
				if name == "organization" {
					mints, deletes = "create", "delete"
				}
				options.MintShare = share
				log, _ := revokeWhileTeamsMint(t, options, Revocation, mints, deletes, nil)
				all, most, least := teams(log)
				got := float64(all) / float64(len(log))
				t.Logf("%d of %d are mints", all, len(log))
				if got < share-0.01 || got > share+0.01 {
					t.Errorf("mints have %.3f of the tokens, and their share is %g", got, share)
				}
				if most > least+2 {
					t.Errorf("one team has %d, another %d", most, least)
				}
			})
		}
	}
}

// TestReadersKeepTheirTurns: beside 40 teams that mint and a caller that revokes, a
// reader has its turn as each of them has, and mints their share.
func TestReadersKeepTheirTurns(t *testing.T) {
	options := Options{Organization: roomy, Default: Limit{7, 1}, MintShare: 0.2}
	log, _ := revokeWhileTeamsMint(t, options, Revocation, "keys", "keys", func(ctx context.Context, c *crowd) {
		c.work(ctx, "reader", Interactive, 10, "keys")
	})
	all, _, _ := teams(log)
	reads := len(log) - 100 - all
	t.Logf("%d mints, %d reads, 100 revocations", all, reads)
	if share := float64(all) / float64(len(log)); share < 0.19 {
		t.Errorf("mints have %.3f of the tokens", share)
	}
	if reads < len(log)/42-1 {
		t.Errorf("%d of %d are reads", reads, len(log))
	}
}

// TestMintsGoBeforeReads: a few mints do not wait for others' reads, but for every second
// one; a caller that mints on has its turn.
func TestMintsGoBeforeReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, s := newPacer(t, Options{Organization: Limit{60, 1}, Default: Limit{1000, 100}, MintShare: 0.2}), newScript(t)
		drain(t, p, "b")
		for i := range 30 {
			s.wait(as(t.Context(), fmt.Sprint("reader", i%5), Interactive), p, "list", "r")
		}
		for range maxLead + 2 {
			s.wait(as(t.Context(), "team", Mint), p, "create", "M")
		}
		s.want(strings.Repeat("M,r,", maxLead) + "M,r,r,r,M")
		p.Close()
	})
}

// TestUrgentGoesBeforeItsOwnFlow: an urgent revocation passes the revocations and reads of
// its caller, which is as far ahead as it can be, and those of others.
func TestUrgentGoesBeforeItsOwnFlow(t *testing.T) {
	for name, bucket := range map[string]string{"its bucket": "delete", "another": "other"} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, s := newPacer(t, Options{Organization: Limit{60, 1}, Default: Limit{60, 1}}), newScript(t)
				drain(t, p, "delete")
				for i := range 60 {
					s.wait(as(t.Context(), "admin", Revocation), p, "delete", "D")
					s.wait(as(t.Context(), fmt.Sprint("reader", i%6), Interactive), p, "delete", "r")
				}
				s.order(40)
				s.wait(as(t.Context(), "admin", Urgent), p, bucket, "U")
				s.want("U")
				p.Close()
			})
		})
	}
}

// TestSpareDelaysNobody: calls that tidy up wait while any other call waits, leave a token
// for the next one, and are made when nobody wants the budget.
func TestSpareDelaysNobody(t *testing.T) {
	for _, burst := range []int{1, 3} {
		t.Run(fmt.Sprint("burst ", burst), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				c := newCrowd(t, newPacer(t, Options{Organization: Limit{60, 5}, Default: Limit{7, burst}}))
				c.work(ctx, "broker", Spare, 5, "delete")
				busy, stop := context.WithTimeout(ctx, 30*time.Minute)
				c.work(busy, "reader", Interactive, 1, "delete")
				c.work(busy, "inventory", FanOut, 2, "delete")
				c.all.Go(func() { <-busy.Done() })
				<-busy.Done()
				stop()
				if n := c.count("broker"); n > burst {
					t.Errorf("%d spare calls went while others waited", n)
				}
				before := c.count("broker")
				for range 20 {
					// Now and then a call comes: with a burst it finds a token.
					time.Sleep(97 * time.Second) //nolint:forbidigo // the time of the bubble
					start := time.Now()
					if _, err := c.p.Wait(as(ctx, "operator", Revocation), "delete"); err != nil {
						t.Fatal(err)
					}
					if took := time.Since(start); took > 0 && burst > 1 {
						t.Errorf("a revocation waited for %s", took)
					}
				}
				if n := c.count("broker") - before; n < 15 {
					t.Errorf("%d spare calls went in half an hour in which nobody wanted the budget", n)
				}
				cancel()
				c.all.Wait()
			})
		})
	}
}

// TestSpareHoldsNobodyUp: a call that comes while a spare one waits for its token goes at
// once.
func TestSpareHoldsNobodyUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, s := newPacer(t, Options{Organization: Limit{60, 5}, Default: Limit{7, 2}}), newScript(t)
		drain(t, p, "delete")
		s.wait(as(t.Context(), "broker", Spare), p, "delete", "spare")
		start := time.Now()
		s.wait(as(t.Context(), "reader", FanOut), p, "delete", "r")
		s.want("r")
		if took := time.Since(start); took > 0 {
			t.Errorf("it went after %s", took)
		}
		p.Close()
	})
}
