package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/admin-gateway/admin-gateway/client/leases"
	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/dial"
	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/secretfile"
	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/supervise"
)

// The environment variables that the vendor's SDKs read.
const (
	keyVariable     = "OPENAI_API_KEY"
	projectVariable = "OPENAI_PROJECT_ID"
)

type leaseExecCommand struct {
	leaseFlags
	wantedLease
	Command []string `arg:"" passthrough:"" help:"The program and its arguments, behind --."`

	OnRotate       string        `default:"restart" placeholder:"restart|none|SIGNAL" help:"What to do with the program when it needs another key: restart it, or send it a signal such as SIGHUP, or nothing; the last two need --key-file."`
	KeyFile        string        `type:"path" placeholder:"FILE" help:"Keep the key in this file too, for its owner alone; it is replaced as a whole, and removed in the end."`
	KillAfter      time.Duration `default:"20s" help:"How long the program may run on after a SIGTERM. Then it is killed."`
	AcquireTimeout time.Duration `default:"5m" help:"How long to try to get the first lease."`
	RevokeTimeout  time.Duration `default:"10s" help:"How long to try to revoke the lease in the end. What is not revoked ends by itself."`
}

// exitError is the exit code of a command, where that is not 1. It prints nothing
// without an error.
type exitError struct {
	code int
	err  error
}

// Error implements error.
func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}

// Unwrap returns the error, nil where there is none.
func (e *exitError) Unwrap() error { return e.err }

// Run runs the program, and holds a lease for it meanwhile. Its exit code is the
// program's; 128 and the number for one that a signal ended.
func (c *leaseExecCommand) Run(ctx context.Context, std streams) error {
	onChange, err := supervise.ParseReaction(c.OnRotate)
	switch {
	case err != nil:
		return fmt.Errorf("flag --on-rotate: %w", err)
	case !onChange.Restarts() && c.KeyFile == "":
		return errors.New("flag --on-rotate: a program that runs on gets another key in a file: give --key-file")
	}
	if c.Command[0] == "--" { // It parts the program's arguments from ours, and is neither's.
		c.Command = c.Command[1:]
	}
	if len(c.Command) == 0 {
		return errors.New("give a program to run, behind --")
	}
	path, code, err := supervise.Find(c.Command[0])
	if err != nil {
		return &exitError{code, err} // Before there is a lease.
	}
	client, end, err := c.client()
	if err != nil {
		return err
	}
	defer end()
	signals := make(chan os.Signal, 64)
	defer supervise.Notify(signals)()
	t := &tenancy{c: c, std: std, changed: make(chan struct{}, 1)}
	ctx, t.fail = context.WithCancelCause(ctx)
	defer t.fail(nil)
	if err := t.acquire(ctx, client, signals); err != nil {
		return err
	}
	code, err = t.run(ctx, supervise.Options{
		Program: supervise.Program{Path: path, Args: c.Command, Env: t.env, Stdin: os.Stdin, Stdout: std.out, Stderr: std.err},
		Signals: signals, Changed: t.changed, OnChange: onChange, KillAfter: c.KillAfter, Log: t.say,
	})
	t.release(ctx)
	return &exitError{code, err}
}

// tenancy is a lease that is held while a program runs.
type tenancy struct {
	c       *leaseExecCommand
	std     streams
	holder  *leases.Holder
	changed chan struct{}
	fail    context.CancelCauseFunc // ends the program
}

// say tells people at the terminal.
func (t *tenancy) say(text string) {
	_, _ = fmt.Fprintf(t.std.err, "gateway: %s\n", text) // There is no other stream.
}

// acquire gets the first lease, unless a signal comes that ends a process.
func (t *tenancy) acquire(ctx context.Context, client leases.Client, signals <-chan os.Signal) error {
	ctx, cancel := context.WithTimeout(ctx, t.c.AcquireTimeout)
	defer cancel()
	got := make(chan error, 1)
	go func() {
		var err error
		t.holder, err = leases.Acquire(ctx, client,
			leases.Request{Role: t.c.Role, TTL: t.c.TTL, Holder: t.c.Holder, Labels: t.c.Label},
			leases.OnKey(t.another), leases.OnError(t.failed))
		got <- err
	}()
	for {
		select {
		case err := <-got:
			if err == nil {
				if err = t.keyFile(); err != nil {
					t.release(ctx)
				}
			}
			return err
		case signal := <-signals:
			if !supervise.Ends(signal) {
				continue
			}
			cancel()
			if <-got == nil {
				t.release(ctx)
			}
			return &exitError{code: supervise.CodeOf(signal)}
		}
	}
}

// failed tells of an attempt that failed.
func (t *tenancy) failed(err error, pause time.Duration) {
	t.say(fmt.Sprintf("%v; trying again in %v", err, pause.Round(time.Millisecond)))
}

// another passes the next key on to the program.
func (t *tenancy) another(key leases.Key) {
	t.say("another key: " + key.String())
	if err := t.keyFile(); err != nil {
		t.fail(err) // The program would run on with a key that ends.
		return
	}
	select {
	case t.changed <- struct{}{}:
	default: // It is told of the newest key.
	}
}

// keyFile writes the key, where that was asked for.
func (t *tenancy) keyFile() error {
	if t.c.KeyFile == "" {
		return nil
	}
	return secretfile.Write(t.c.KeyFile, []byte(t.holder.Key().Secret()))
}

// env is the environment of the program: that of this process with the key, and without
// the caller's token.
func (t *tenancy) env() []string {
	ours := []string{keyVariable, projectVariable, dial.TokenVariable, dial.OlderTokenVariable}
	env := slices.DeleteFunc(os.Environ(), func(variable string) bool {
		name, _, _ := strings.Cut(variable, "=")
		return slices.Contains(ours, name)
	})
	key := t.holder.Key()
	return append(env, keyVariable+"="+key.Secret(), projectVariable+"="+key.Lease().GetProjectId())
}

// run keeps the lease while the program runs. Where the lease is lost, the program is
// told to end.
func (t *tenancy) run(ctx context.Context, o supervise.Options) (code int, err error) {
	keeping, stop := context.WithCancel(ctx)
	kept := make(chan struct{})
	go func() {
		defer close(kept)
		if err := t.holder.Keep(keeping); keeping.Err() == nil {
			t.fail(err)
		}
	}()
	code, err = supervise.Run(ctx, o)
	stop()
	<-kept
	if cause := context.Cause(ctx); err == nil && cause != nil && !errors.Is(cause, context.Canceled) {
		err = cause
		code = max(code, 1)
	}
	return code, err
}

// release revokes the lease, also where the command was told to end. A failure does not
// change the exit code, which is the program's: what is not revoked ends by itself.
func (t *tenancy) release(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), t.c.RevokeTimeout)
	defer cancel()
	err := t.holder.Release(ctx)
	if t.c.KeyFile != "" {
		err = errors.Join(err, secretfile.Remove(t.c.KeyFile))
	}
	if err != nil {
		t.say(err.Error() + "; the key ends by itself")
	}
}

// Help says what no flag does.
func (*leaseExecCommand) Help() string {
	return exitsWord + "that of the program; 128 and the number of the signal that ended it; 126 and 127 where there is no such program, or it is none; 1 where there is no lease; 2 wrong command line."
}
