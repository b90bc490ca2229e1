//go:build unix

package supervise

import (
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// terminate is the signal that asks a program to end.
const terminate = unix.SIGTERM

// highestSignal is the last of the real-time signals of Linux. Others have fewer.
const highestSignal = 64

// notOurs are signals that are not passed on: they cannot be caught, are about this
// process alone, or come from the terminal to whoever reads or writes it.
var notOurs = []unix.Signal{
	unix.SIGKILL, unix.SIGSTOP,
	unix.SIGCHLD, unix.SIGPIPE, unix.SIGURG, // Children, pipes, and the runtime of Go.
	unix.SIGBUS, unix.SIGFPE, unix.SIGILL, unix.SIGSEGV, unix.SIGTRAP, unix.SIGSYS, // Faults.
	unix.SIGTTIN, unix.SIGTTOU,
}

// Notify relays to the channel every signal that can be passed on to a program; stop ends
// that. A signal for which the channel has no room is lost. Signals that this process was
// started to ignore, as with nohup, stay ignored, by the program too.
func Notify(to chan<- os.Signal) (stop func()) {
	// What was told before of the signals that end a process has no say any more.
	signal.Reset(unix.SIGINT, unix.SIGTERM, unix.SIGHUP, unix.SIGQUIT)
	ignored := ignoredSignals()
	for number := unix.Signal(1); number <= highestSignal; number++ {
		if !slices.Contains(notOurs, number) && ignored>>(number-1)&1 == 0 {
			signal.Notify(to, number)
		}
	}
	return func() { signal.Stop(to) }
}

// ignoredSignals is the mask of the signals that this process ignores, where the system
// tells: bit 0 is signal 1.
func ignoredSignals() (mask uint64) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		if text, ok := strings.CutPrefix(line, "SigIgn:"); ok {
			mask, _ = strconv.ParseUint(strings.TrimSpace(text), 16, 64)
		}
	}
	return mask
}

// Ends says whether a signal ends a process that does nothing about it, because somebody
// wants it to end.
func Ends(s os.Signal) bool {
	return s == unix.SIGTERM || s == unix.SIGINT || s == unix.SIGHUP || s == unix.SIGQUIT
}

func signalNamed(name string) (os.Signal, error) {
	number := unix.SignalNum(name)
	if number == 0 || slices.Contains(notOurs, number) {
		return nil, fmt.Errorf("there is no signal %s that a program could be sent", name)
	}
	return number, nil
}

// fromTerminal says whether a terminal has sent a signal, and to the program too: both
// are in its foreground.
func fromTerminal(s os.Signal) bool {
	switch s {
	case unix.SIGINT, unix.SIGQUIT, unix.SIGTSTP, unix.SIGWINCH, unix.SIGCONT:
	default:
		return false
	}
	terminal, err := os.Open("/dev/tty")
	if err != nil {
		return false
	}
	defer func() { _ = terminal.Close() }()
	foreground, err := unix.IoctlGetInt(int(terminal.Fd()), unix.TIOCGPGRP)
	return err == nil && foreground == unix.Getpgrp()
}

// stopAlike stops this process where the terminal has stopped the program, so that the
// shell gets the terminal.
func stopAlike(s os.Signal) {
	if s == unix.SIGTSTP {
		_ = unix.Kill(unix.Getpid(), unix.SIGSTOP)
	}
}
