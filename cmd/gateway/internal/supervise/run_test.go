//go:build unix

package supervise_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/supervise"
)

const patience = 30 * time.Second

// screen has the lines that programs wrote.
type screen struct {
	mu    sync.Mutex
	text  bytes.Buffer
	wrote chan struct{}
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.wrote)
	s.wrote = make(chan struct{})
	return s.text.Write(p)
}

// lines waits for so many lines, and returns them.
func (s *screen) lines(t *testing.T, n int) []string {
	t.Helper()
	late := time.NewTimer(patience)
	defer late.Stop()
	for {
		s.mu.Lock()
		all, wrote := strings.Split(strings.TrimSuffix(s.text.String(), "\n"), "\n"), s.wrote
		if s.text.Len() == 0 {
			all = nil
		}
		s.mu.Unlock()
		if len(all) >= n {
			return all
		}
		select {
		case <-wrote:
		case <-late.C:
			t.Fatalf("%d lines, want %d: %q", len(all), n, all)
		}
	}
}

// run is a program that runs under [supervise.Run].
type run struct {
	*screen
	signals chan os.Signal
	changed chan struct{}
	cancel  context.CancelFunc
	starts  atomic.Int64
	ended   chan int
}

// start runs a script. $KEY is the number of the start.
func start(t *testing.T, script, reaction string, killAfter time.Duration) *run {
	t.Helper()
	onChange, err := supervise.ParseReaction(reaction)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	r := &run{screen: &screen{wrote: make(chan struct{})}, signals: make(chan os.Signal, 8), changed: make(chan struct{}, 1), cancel: cancel, ended: make(chan int, 1)}
	path, _, err := supervise.Find("sh")
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		code, err := supervise.Run(ctx, supervise.Options{
			Program: supervise.Program{
				Path: path, Args: []string{"sh", "-c", script}, Stdin: strings.NewReader(""), Stdout: r, Stderr: io.Discard,
				Env: func() []string { return append(os.Environ(), fmt.Sprint("KEY=", r.starts.Add(1))) },
			},
			Signals: r.signals, Changed: r.changed, OnChange: onChange, KillAfter: killAfter,
		})
		if err != nil {
			t.Errorf("run: %v", err)
		}
		r.ended <- code
	}()
	t.Cleanup(cancel)
	return r
}

// code waits for the end.
func (r *run) code(t *testing.T) int {
	t.Helper()
	select {
	case code := <-r.ended:
		return code
	case <-time.After(patience):
		t.Fatal("it runs on")
		return 0
	}
}

// forever waits in short sleeps, so that the shell reacts to signals.
const forever = "while :; do sleep 0.05; done"

// TestExitCodes are those of a shell.
func TestExitCodes(t *testing.T) {
	t.Parallel()
	for script, want := range map[string]int{"exit 0": 0, "exit 7": 7, "kill -TERM $$": 143, "kill -KILL $$": 137} {
		if got := start(t, script, "restart", patience).code(t); got != want {
			t.Errorf("%s: %d, want %d", script, got, want)
		}
	}
	if _, code, err := supervise.Find("no-such-command"); code != 127 || err == nil {
		t.Errorf("a command that is not there: %d, %v", code, err)
	}
	file := t.TempDir() + "/data"
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, code, err := supervise.Find(file); code != 126 || err == nil {
		t.Errorf("a file that is no program: %d, %v", code, err)
	}
}

// TestSignalsArePassedOn, each of them, and the program decides.
func TestSignalsArePassedOn(t *testing.T) {
	t.Parallel()
	names := []string{"HUP", "INT", "QUIT", "USR1", "USR2", "ALRM", "CONT", "WINCH"}
	numbers := []syscall.Signal{syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGALRM, syscall.SIGCONT, syscall.SIGWINCH}
	var script strings.Builder
	for _, name := range names {
		fmt.Fprintf(&script, "trap 'echo got %s' %s\n", name, name)
	}
	r := start(t, script.String()+"trap 'echo got TERM; exit 3' TERM\necho ready\n"+forever, "none", patience)
	r.lines(t, 1)
	for i, number := range numbers {
		r.signals <- number
		if lines := r.lines(t, i+2); lines[i+1] != "got "+names[i] {
			t.Fatalf("%v: %q", number, lines)
		}
	}
	r.signals <- syscall.SIGTERM
	if code := r.code(t); code != 3 {
		t.Errorf("exit code %d", code)
	}
}

// TestKilledAfterSIGTERM where the program does not end; more SIGTERMs give it no more
// time.
func TestKilledAfterSIGTERM(t *testing.T) {
	t.Parallel()
	r := start(t, "trap 'echo no' TERM; echo ready; "+forever, "none", time.Second)
	r.lines(t, 1)
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	late := time.NewTimer(patience)
	defer late.Stop()
	for code := 0; code == 0; {
		select {
		case code = <-r.ended:
			if code != 137 {
				t.Errorf("exit code %d", code)
			}
		case <-again.C:
			select {
			case r.signals <- syscall.SIGTERM:
			default:
			}
		case <-late.C:
			t.Fatal("it runs on")
		}
	}
	r = start(t, "trap 'echo no' TERM; echo ready; "+forever, "none", time.Second)
	r.lines(t, 1)
	r.cancel()
	if code := r.code(t); code != 137 {
		t.Errorf("exit code %d after the context's end", code)
	}
}

// TestRestart starts the program anew with its new environment, also where it has to be
// killed for that, and returns the code of the last one alone.
func TestRestart(t *testing.T) {
	t.Parallel()
	r := start(t, "trap 'exit 5' TERM; echo $KEY; [ $KEY = 4 ] && exit 9; [ $KEY = 2 ] && trap '' TERM; "+forever, "restart", time.Second)
	for n := range 3 {
		if lines := r.lines(t, n+1); lines[n] != fmt.Sprint(n+1) {
			t.Fatalf("%q", lines)
		}
		r.changed <- struct{}{}
	}
	if code := r.code(t); code != 9 || r.starts.Load() != 4 {
		t.Errorf("exit code %d after %d starts", code, r.starts.Load())
	}
}

// TestNoRestartAfterTheEnd: a program that was told to end is not started anew.
func TestNoRestartAfterTheEnd(t *testing.T) {
	t.Parallel()
	r := start(t, "trap 'echo ending; sleep 0.2; exit 5' TERM; echo ready; "+forever, "restart", patience)
	r.lines(t, 1)
	r.changed <- struct{}{}
	r.lines(t, 2)
	r.signals <- syscall.SIGTERM
	r.changed <- struct{}{}
	if code := r.code(t); code != 5 || r.starts.Load() != 1 {
		t.Errorf("exit code %d after %d starts", code, r.starts.Load())
	}
}

// TestSignalOnChange: the program is told, and runs on.
func TestSignalOnChange(t *testing.T) {
	t.Parallel()
	r := start(t, "trap 'echo again' USR1; echo ready; "+forever, "SIGUSR1", patience)
	for n := range 3 {
		r.lines(t, n+1)
		r.changed <- struct{}{}
	}
	if lines := r.lines(t, 4); !slices.Equal(lines, []string{"ready", "again", "again", "again"}) {
		t.Errorf("%q", lines)
	}
	r.cancel()
	if code := r.code(t); code != 143 {
		t.Errorf("exit code %d", code)
	}
}

// TestReactions that there are not.
func TestReactions(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "SIGNOTHING", "SIGKILL", "SIGCHLD", "hup"} {
		if _, err := supervise.ParseReaction(text); err == nil {
			t.Errorf("%q is a reaction", text)
		}
	}
	if r, err := supervise.ParseReaction("restart"); err != nil || !r.Restarts() {
		t.Errorf("%v", err)
	}
}
