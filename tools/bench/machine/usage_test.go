package machine

import (
	"os"
	"testing"
	"time"
)

func TestParseStat(t *testing.T) {
	// The name has what ends a name.
	line := "4242 (a) R (b c) S 17 4242 4242 0 -1 4194560 2500 0 3 0 123 45 7 8 20 0 9 0 5550123 1250000 6400 18446744073709551615 1 1 0 0 0\n"
	got, err := parseStat([]byte(line))
	if err != nil {
		t.Fatal(err)
	}
	if got != (stat{parent: 17, spent: 1680 * time.Millisecond}) {
		t.Errorf("%+v", got)
	}
	for _, broken := range []string{"", "4242 (name", "4242 (name) S 1", "4242 (name) S x 1 1 0 -1 0 0 0 0 0 1 2 3 4"} {
		if got, err := parseStat([]byte(broken)); err == nil {
			t.Errorf("%q is %+v", broken, got)
		}
	}
}

func TestParseRSS(t *testing.T) {
	got, err := parseRSS([]byte("Name:\tgateway\nVmHWM:\t   50000 kB\nVmRSS:\t   43210 kB\nThreads:\t9\n"))
	if err != nil || got != 43210<<10 {
		t.Errorf("%d, %v", got, err)
	}
	for _, broken := range []string{"", "VmRSS:\tmany kB\n"} {
		if got, err := parseRSS([]byte(broken)); err == nil {
			t.Errorf("%q is %d", broken, got)
		}
	}
}

// What the kernel says about this process can be read.
func TestParseThisProcess(t *testing.T) {
	line, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		t.Fatal(err)
	}
	if s, err := parseStat(line); err != nil || s.parent != os.Getppid() {
		t.Errorf("%+v, %v; the parent is %d", s, err, os.Getppid())
	}
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	if rss, err := parseRSS(status); err != nil || rss < 1<<20 {
		t.Errorf("%d, %v", rss, err)
	}
}
