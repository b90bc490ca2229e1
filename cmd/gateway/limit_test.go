package main

import (
	"bytes"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/admin-gateway/admin-gateway/internal/audittest"
	"github.com/admin-gateway/admin-gateway/internal/timetest"
)

// TestLimitReachesAllReplicas: a caller that is given less at the one gateway has less at
// the other, also after both were started anew, until its limits are restored.
func TestLimitReachesAllReplicas(t *testing.T) {
	t.Parallel()
	s := newHeldServed(t)
	one, two := s.serve(t, 0), s.serve(t, 1)
	stopped := func(r heldReplica) bool {
		for range 3 {
			if status, text := r.read(t, "mallory"); status == http.StatusTooManyRequests && strings.Contains(text, "caller_limit") {
				return true
			}
		}
		return false
	}
	if stopped(one) || stopped(two) {
		t.Fatal("the policy stops it")
	}
	out, code := one.operate(t, "limit", "mallory", "--requests-per-second", "0.001", "--burst", "1", "--for", "2h", "--reason", "a loop\x1b[2J")
	if code != 0 || !strings.Contains(out, "requests_per_second 0.001, burst 1") || strings.Contains(out, "\x1b") {
		t.Fatalf("limit: %d %s", code, out)
	}
	if !stopped(one) {
		t.Error("at once, where it was given")
	}
	timetest.Eventually(t, "the other replica stops it", func() bool { return stopped(two) })
	if out, code := two.operate(t, "limit", "list", "--format", "yaml"); code != 0 || !strings.Contains(out, "caller: mallory") || !strings.Contains(out, "created_by: operator") || !strings.Contains(out, "burst: 1") {
		t.Errorf("list: %d %s", code, out)
	}
	for _, args := range [][]string{{"malory", "--burst", "1", "--for", "1h"}, {"mallory", "--for", "1h"}, {"mallory", "--burst", "0", "--for", "1h"}} {
		if out, code := two.operate(t, append([]string{"limit"}, args...)...); code != 1 {
			t.Errorf("%q: %d %s", args, code, out)
		}
	}
	if out, code := two.operate(t, "limit", "mallory", "--burst", "1"); code != 2 || !strings.Contains(out, "--for") {
		t.Errorf("without an end: %d %s", code, out)
	}
	one.stop(t)
	two.stop(t)

	one, two = s.serve(t, 0), s.serve(t, 1)
	if !stopped(one) || !stopped(two) {
		t.Error("it may call after a restart")
	}
	if out, code := two.operate(t, "limit", "restore", "mallory"); code != 0 || !strings.Contains(out, "has the policy's limits") {
		t.Errorf("restore: %d %s", code, out)
	}
	timetest.Eventually(t, "it may call again", func() bool { return !stopped(one) && !stopped(two) })
	if out, code := two.operate(t, "limit", "list"); code != 0 || !strings.Contains(out, "every caller has the policy's limits") {
		t.Errorf("list: %d %s", code, out)
	}
	one.stop(t)
	two.stop(t)
	lines, err := os.ReadFile(s.audits[0])
	if err != nil {
		t.Fatal(err)
	}
	audittest.Lines(t, lines)
	if !bytes.Contains(lines, []byte("LimitService/CreateLimitOverride")) || !bytes.Contains(lines, []byte("a loop")) || !bytes.Contains(lines, []byte("0.001")) {
		t.Error("the limits are not recorded with their reason")
	}
}
