package supervise

import (
	"context"
	"fmt"
	"os"
	"time"
)

// Options configure [Run].
type Options struct {
	Program Program
	// Signals are those of this process, as [Notify] brings them. All are passed on.
	Signals <-chan os.Signal
	// Changed says that the environment of the program is another one now.
	Changed <-chan struct{}
	// OnChange is what to do then.
	OnChange Reaction
	// KillAfter is how long the program may run on after a SIGTERM. Then it is killed.
	KillAfter time.Duration
	// Log gets what people have to know. It may be nil.
	Log func(text string)
}

// Run runs the program until it ends, and returns its exit code: that of a program which
// a signal has ended is 128 and the number of the signal. When ctx ends, the program gets
// a SIGTERM. The error is that of a program that could not be started; the code is that
// of a shell then.
func Run(ctx context.Context, o Options) (code int, err error) {
	if o.Log == nil {
		o.Log = func(string) {}
	}
	s := &supervisor{o: o, kill: time.NewTimer(o.KillAfter)}
	s.kill.Stop()
	defer s.kill.Stop()
	if err := s.start(); err != nil {
		return CodeNotExecutable, err
	}
	ended := ctx.Done()
	for {
		select {
		case <-s.program.done:
			if !s.restarting {
				return s.program.code, nil
			}
			s.kill.Stop()
			if err := s.start(); err != nil {
				return CodeNotExecutable, err
			}
		case signal := <-o.Signals:
			s.pass(signal)
		case <-o.Changed:
			s.change()
		case <-ended:
			ended = nil
			s.end()
		case <-s.kill.C:
			o.Log(fmt.Sprintf("the program runs %v after SIGTERM, and is killed", o.KillAfter))
			s.send(os.Kill)
		}
	}
}

// supervisor is the state of [Run].
type supervisor struct {
	o       Options
	program *running
	// restarting says that the program was told to end so that it can be started anew;
	// ending that it was told to end for good.
	restarting, ending bool
	kill               *time.Timer
}

func (s *supervisor) start() error {
	program, err := s.o.Program.start()
	if err != nil {
		return fmt.Errorf("start %s: %w", s.o.Program.Path, err)
	}
	s.program, s.restarting = program, false
	return nil
}

func (s *supervisor) send(signal os.Signal) {
	if err := s.program.signal(signal); err != nil {
		s.o.Log(fmt.Sprintf("the program did not get %v: %v", signal, err))
	}
}

// pass passes a signal on, unless the terminal has sent it to the program too.
func (s *supervisor) pass(signal os.Signal) {
	if fromTerminal(signal) {
		stopAlike(signal)
		return
	}
	if signal == terminate {
		s.end()
		return
	}
	s.send(signal)
}

// end tells the program to end for good. Its time begins with the first time that it is
// told.
func (s *supervisor) end() {
	s.send(terminate)
	if !s.ending {
		s.kill.Reset(s.o.KillAfter)
	}
	s.restarting, s.ending = false, true
}

// change reacts to another environment. A program that has ended by itself, or is about
// to end for good, is left alone; one that is about to be started anew gets the newest.
func (s *supervisor) change() {
	if s.program.hasEnded() || s.ending || s.restarting {
		return
	}
	switch {
	case s.o.OnChange.restart:
		s.restarting = true
		s.send(terminate)
		s.kill.Reset(s.o.KillAfter)
	case s.o.OnChange.signal != nil:
		s.send(s.o.OnChange.signal)
	}
}
