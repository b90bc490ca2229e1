//go:build !unix

package supervise

import (
	"errors"
	"os"
	"os/signal"
	"syscall"
)

// terminate is the signal that asks a program to end. Where there are no signals, the
// program is killed when its time is over.
const terminate = syscall.SIGTERM

// Notify relays to the channel the signals that end a process; stop ends that.
func Notify(to chan<- os.Signal) (stop func()) {
	signal.Notify(to, os.Interrupt, syscall.SIGTERM)
	return func() { signal.Stop(to) }
}

// Ends says whether a signal ends a process.
func Ends(s os.Signal) bool { return s == os.Interrupt || s == terminate }

func signalNamed(string) (os.Signal, error) {
	return nil, errors.New("this system has no signals")
}

func fromTerminal(os.Signal) bool { return false }

func stopAlike(os.Signal) {}
