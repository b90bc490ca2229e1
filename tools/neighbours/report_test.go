package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func phase(cached, uncached time.Duration) measured {
	const reads = 100
	m := measured{lasted: uncached * time.Duration(reads)}
	for range reads {
		m.cached = append(m.cached, cached)
		m.uncached = append(m.uncached, uncached)
	}
	return m
}

func TestReport(t *testing.T) {
	alone := phase(time.Millisecond, time.Second)
	for name, test := range map[string]struct {
		beside measured
		want   error
	}{
		"within":          {phase(1400*time.Microsecond, 1900*time.Millisecond), nil},
		"cached missed":   {phase(1600*time.Microsecond, 1900*time.Millisecond), errMissed},
		"uncached missed": {phase(1400*time.Microsecond, 2100*time.Millisecond), errMissed},
		"failures":        {func() measured { m := phase(time.Millisecond, time.Second); m.failed = 1; return m }(), errMissed},
	} {
		var out strings.Builder
		if err := report(&out, alone, test.beside); !errors.Is(err, test.want) || (err == nil) != (test.want == nil) {
			t.Errorf("%s: %v\n%s", name, err, out.String())
		}
	}
	if err := report(io.Discard, alone, measured{}); err == nil || errors.Is(err, errMissed) {
		t.Errorf("a phase without answers: %v", err)
	}
}

func TestQuantile(t *testing.T) {
	var times []time.Duration
	for i := range 100 {
		times = append(times, time.Duration(100-i))
	}
	for q, want := range map[float64]time.Duration{0: 1, 0.5: 51, 0.99: 100, 1: 100} {
		if got := quantile(times, q); got != want {
			t.Errorf("%g: %d, want %d", q, got, want)
		}
	}
	if times[0] != 100 {
		t.Error("it sorted what it was given")
	}
}

func TestFlags(t *testing.T) {
	for _, args := range [][]string{{"-duration", "1s"}, {"-duration", "1h"}, {"more"}, {"-attack", "none"}} {
		if err := run(t.Context(), args, strings.NewReader(`{"Target": {"Listen": "127.0.0.1:1", "GRPCListen": "127.0.0.1:1"}, "For": 1}`), io.Discard); err == nil {
			t.Errorf("%q is accepted", args)
		}
	}
}

// An attack is made on this machine alone.
func TestAttacksStayHere(t *testing.T) {
	for _, listen := range []string{"192.0.2.1:80", "example.com:80", "nowhere"} {
		text, err := json.Marshal(orders{Target: target{Listen: "127.0.0.1:1", GRPCListen: listen}, For: time.Second})
		if err != nil {
			t.Fatal(err)
		}
		if err := attackFor(t.Context(), granted, strings.NewReader(string(text)), io.Discard); err == nil {
			t.Errorf("%s is attacked", listen)
		}
	}
}

// Each attack calls its target until its input ends, and says what became of it.
func TestAttacksEnd(t *testing.T) {
	for _, name := range []string{granted, stranger} {
		called := make(chan struct{}, 10_000)
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method != "PRI" { // The beginning of a silent connection.
				select {
				case called <- struct{}{}:
				default:
				}
			}
			w.WriteHeader(http.StatusTooManyRequests)
		}))
		ctx, cancel := context.WithCancel(t.Context())
		in, orderer := io.Pipe()
		var out strings.Builder
		ended := make(chan error, 1)
		go func() { ended <- attackFor(ctx, name, in, &out) }()
		at := target{Listen: server.Listener.Addr().String(), GRPCListen: server.Listener.Addr().String(), Project: "p"}
		if name == granted {
			at.Token = "agw_token"
		}
		if err := json.NewEncoder(orderer).Encode(orders{at, time.Minute}); err != nil {
			t.Fatal(err)
		}
		for range 100 {
			<-called
		}
		_ = orderer.Close()
		if err := <-ended; err != nil || !strings.HasPrefix(out.String(), "begun\nthe neighbour "+name+": ") || !strings.Contains(out.String(), "with 429") {
			t.Errorf("%s: %v, %s", name, err, out.String())
		}
		cancel()
		server.Close()
	}
}
