package connguard_test

import (
	"errors"
	"fmt"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/admin-gateway/admin-gateway/internal/connguard"
)

// TestStrangersShareHalf: anonymous connections have half of the places, and the
// network that has the most loses its oldest one.
func TestStrangersShareHalf(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newTable(t, 16, nil)
		neighbour := l.connect(t, "198.51.100.1:1")
		var flood []connected
		for i := range 100 {
			// A host has its whole network.
			flood = append(flood, l.connect(t, fmt.Sprintf("[2001:db8::%x]:1", i+1)))
		}
		synctest.Wait()
		for i, c := range flood {
			if want := i >= 100-7; c.open() != want {
				t.Errorf("connection %d of 100 is open: %v", i, c.open())
			}
		}
		if !neighbour.open() {
			t.Error("the only connection of another network lost its place")
		}
	})
}

// TestOldestStrangerGoes where all networks have as many.
func TestOldestStrangerGoes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newTable(t, 4, nil)
		var all []connected
		for i := range 4 {
			all = append(all, l.connect(t, fmt.Sprintf("192.0.2.%d:1", i+1)))
			call := all[i].Call() // A request without a credential changes nothing.
			call.Probe()
			defer call.End()
		}
		synctest.Wait()
		for i, c := range all {
			if want := i >= 2; c.open() != want {
				t.Errorf("connection %d is open: %v", i, c.open())
			}
		}
	})
}

// TestKnownKeepTheirPlaces whatever strangers do, idle or not.
func TestKnownKeepTheirPlaces(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newTable(t, 16, nil)
		known := []connected{l.known(t, "a"), l.known(t, "a"), l.known(t, "b"), l.known(t, "b")}
		pass(time.Hour) // They are idle, and no longer due.
		for range 100 {
			l.connect(t, "192.0.2.1:1")
		}
		synctest.Wait()
		for i, c := range known {
			if !c.open() {
				t.Errorf("known connection %d lost its place", i)
			}
			c.call(t, "a").End()
		}
	})
}

// TestCallersShare: 16 places are 12 for callers at most, of which one has half. Beyond
// that its own idle connection goes, and with none it is refused.
func TestCallersShare(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newTable(t, 16, nil)
		other := l.known(t, "other")
		pass(2 * time.Second) // The other's is idle for longer than all.
		var own []connected
		for range 6 {
			own = append(own, l.known(t, "greedy"))
		}
		pass(2 * time.Second)
		seventh := l.connect(t, "192.0.2.1:1")
		busy := []*connguard.Call{seventh.call(t, "greedy")}
		synctest.Wait()
		open := 0
		for i, c := range own {
			if c.open() {
				open++
				busy = append(busy, own[i].call(t, "greedy"))
			}
		}
		if open != 5 || !other.open() {
			t.Errorf("%d of 6 are open beside the seventh; the other's: %v", open, other.open())
		}
		eighth := l.connect(t, "192.0.2.1:1")
		refused := eighth.Call()
		if err := refused.Authenticated("greedy"); !errors.Is(err, connguard.ErrNoPlace) {
			t.Errorf("a seventh connection with a call: %v", err)
		}
		another := eighth.Call() // It stays anonymous: nobody else is refused for it.
		if err := another.Authenticated("third"); err != nil {
			t.Error(err)
		}
		another.End()
		for _, call := range busy {
			call.End()
		}
	})
}

// TestFullOfCallers: a newcomer takes the idle place of the caller that has the most,
// and none whose call is under way or has just ended.
func TestFullOfCallers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newTable(t, 8, nil) // 6 of callers, 3 of one.
		var most []connected
		for range 3 {
			most = append(most, l.known(t, "most"))
		}
		few := []connected{l.known(t, "few"), l.known(t, "few"), l.known(t, "one")}
		newcomer := l.connect(t, "192.0.2.1:1")
		call := newcomer.Call()
		if err := call.Authenticated("new"); !errors.Is(err, connguard.ErrNoPlace) {
			t.Errorf("calls have just ended, and their answers may be on their way: %v", err)
		}
		pass(time.Second)
		busy := []*connguard.Call{most[0].call(t, "most"), most[1].call(t, "most")}
		if err := call.Authenticated("new"); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		if !most[0].open() || !most[1].open() || most[2].open() {
			t.Error("the idle connection of the caller with the most should have gone")
		}
		for i, c := range few {
			if !c.open() {
				t.Errorf("connection %d of another caller lost its place", i)
			}
		}
		late := most[2].Call() // Its client sends one more before it sees the end.
		if err := late.Authenticated("most"); !errors.Is(err, net.ErrClosed) {
			t.Errorf("a call on a connection without a place: %v", err)
		}
		for _, c := range append(busy, &call) {
			c.End()
		}
	})
}

// TestFirstCallIsDue: a connection that stays anonymous ends, unless it makes a
// health check.
func TestFirstCallIsDue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newTable(t, 16, nil)
		silent, known, probe := l.connect(t, "192.0.2.1:1"), l.known(t, "a"), l.connect(t, "192.0.2.1:1")
		check := probe.Call()
		check.Probe()
		check.End()
		began := time.Now()
		silent.gone(t)
		if took := time.Since(began); took != firstCall {
			t.Errorf("it ended after %s", took)
		}
		pass(time.Hour)
		if !known.open() || !probe.open() {
			t.Errorf("the caller's is open: %v, the probe's: %v", known.open(), probe.open())
		}
	})
}

// TestCounters: every end has its reason, and what is open adds up.
func TestCounters(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		metrics := connguard.NewMetrics()
		registry := prometheus.NewRegistry()
		registry.MustRegister(metrics.Collectors()...)
		l := newTable(t, 4, metrics.Of("listen")) // 2 of strangers, 3 of callers, 1 of one.
		busy := l.connect(t, "192.0.2.1:1").call(t, "a")
		refused := l.connect(t, "192.0.2.1:1").Call()
		if err := refused.Authenticated("a"); !errors.Is(err, connguard.ErrNoPlace) {
			t.Error(err)
		}
		busy.End()
		pass(time.Second)
		l.known(t, "a")
		for range 3 {
			l.connect(t, "192.0.2.1:1")
		}
		l.connect(t, "192.0.2.1:1")
		held := l.connect(t, "192.0.2.1:1")
		for range 101 {
			held.Ended()
		}
		pass(connguard.HeldUp)
		synctest.Wait()
		for name, want := range map[string]float64{"anonymous": 1, "authenticated": 1} {
			if got := value(t, registry, "gateway_connections", "", name); got != want {
				t.Errorf("%v %s connections are open, want %v", got, name, want)
			}
		}
		pass(firstCall)
		for reason, want := range map[string]float64{"replaced": 4, "late": 1, "held_up": 1, "no_place": 1} {
			if got := value(t, registry, "gateway_connections_ended_total", reason, "anonymous"); got != want {
				t.Errorf("%v anonymous ones ended as %s, want %v", got, reason, want)
			}
		}
		if got := value(t, registry, "gateway_connections_ended_total", "replaced", "authenticated"); got != 1 {
			t.Errorf("%v of callers were replaced", got)
		}
	})
}

// value is that of the series of a kind.
func value(t *testing.T, registry *prometheus.Registry, name, reason, kind string) float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			labels := make(map[string]string)
			for _, l := range m.GetLabel() {
				labels[l.GetName()] = l.GetValue()
			}
			if family.GetName() == name && labels["kind"] == kind && labels["reason"] == reason {
				return m.GetGauge().GetValue() + m.GetCounter().GetValue()
			}
		}
	}
	t.Fatalf("no series of %s", name)
	return 0
}
