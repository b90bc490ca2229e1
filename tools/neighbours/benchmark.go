package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"time"
)

// settle is how long the caller calls before it is measured: the bursts of the
// budget are spent by then, and its answers stored.
const settle = 15 * time.Second

// benchmark measures the caller alone and beside its neighbours, and reports both.
func benchmark(ctx context.Context, binary string, duration time.Duration, out io.Writer) (err error) {
	ctx, cancel := context.WithTimeout(ctx, 2*duration+4*settle)
	defer cancel()
	say := func(format string, args ...any) { _, _ = fmt.Fprintf(out, format+"\n", args...) }
	say("%d processors, load average %s", runtime.NumCPU(), load())
	s, err := start(ctx, binary)
	if err != nil {
		return err
	}
	defer s.stop()
	third := newCaller(s.target)
	say("settling for %s", settle)
	if _, err := third.measure(ctx, settle); err != nil {
		return err
	}
	say("alone for %s", duration)
	alone, err := third.measure(ctx, duration)
	if err != nil {
		return err
	}
	var hostile []*attacker
	for _, name := range []string{granted, stranger} {
		a, err := s.attack(ctx, name, duration+2*settle)
		if err != nil {
			return err
		}
		defer a.kill()
		hostile = append(hostile, a)
	}
	// The hostile ones fill what there is to fill.
	say("beside the hostile neighbours, after %s", settle)
	if _, err := third.measure(ctx, settle); err != nil {
		return err
	}
	say("beside them for %s", duration)
	beside, err := third.measure(ctx, duration)
	if err != nil {
		return err
	}
	for _, a := range hostile {
		summary, err := a.end()
		if err != nil {
			return err
		}
		say("%s", summary)
	}
	say("the processor time of the gateway: %s; load average %s", s.processor(), load())
	return report(out, alone, beside)
}

// load is the load average of the last minute, or a sign that it is not known.
func load() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	one, _, _ := strings.Cut(string(text), " ")
	return one
}
