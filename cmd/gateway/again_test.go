package main

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"connectrpc.com/connect/v2"
)

// TestAgain shows something until a signal, through what passes; once, it ends with
// whatever happened.
func TestAgain(t *testing.T) {
	t.Parallel()
	passes := connect.NewError(connect.CodeUnavailable, "a replica restarts")
	broken := errors.New("no")
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		var errs bytes.Buffer
		begun, looks := time.Now(), 0
		err := again(ctx, streams{err: &errs}, false, time.Millisecond, func() error {
			looks++
			switch looks {
			case 1:
				return nil
			case 2:
				return errNotWell
			case 3:
				return passes
			}
			stop()
			return nil
		})
		if err != nil || looks != 4 || time.Since(begun) != 3*shortestInterval || !strings.Contains(errs.String(), "looking again") {
			t.Errorf("%v after %d looks in %v: %s", err, looks, time.Since(begun), errs.String())
		}
		for _, want := range []error{nil, errNotWell, passes, broken} {
			if err := again(t.Context(), streams{err: &errs}, true, 0, func() error { return want }); !errors.Is(err, want) {
				t.Errorf("once: %v, want %v", err, want)
			}
		}
		if err := again(t.Context(), streams{err: &errs}, false, time.Second, func() error { return broken }); !errors.Is(err, broken) {
			t.Errorf("what does not pass: %v", err)
		}
	})
}
