package supervise

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// Exit codes that shells give to commands that could not be run.
const (
	CodeNotExecutable = 126
	CodeNotFound      = 127
	// codeOfSignal is added to the number of the signal that ended a program.
	codeOfSignal = 128
)

// lastOutput is how long a program's output is read after its end, where it does not go
// to a file: what it has left behind may hold it open.
const lastOutput = time.Second

// Program is a program to run.
type Program struct {
	// Path is the file, Args what it gets: the first is its own name.
	Path string
	Args []string
	// Env returns its environment. It is called for each start.
	Env func() []string

	Stdin          io.Reader
	Stdout, Stderr io.Writer
}

// Find returns the path of a command, as a shell finds it. The code is that of a shell
// for the error.
func Find(command string) (path string, code int, err error) {
	path, err = exec.LookPath(command)
	switch {
	case err == nil:
		return path, 0, nil
	case errors.Is(err, fs.ErrPermission):
		return "", CodeNotExecutable, err
	default:
		return "", CodeNotFound, err
	}
}

// CodeOf is the exit code for a signal, as of a shell: 143 for SIGTERM.
func CodeOf(s os.Signal) int {
	number, _ := s.(syscall.Signal)
	return codeOfSignal + int(number)
}

// running is a program that was started.
type running struct {
	process *os.Process
	done    chan struct{} // closed when it has ended
	code    int           // once done
}

// start starts the program. It belongs to the process group of this process, so that a
// terminal treats both as one.
func (p *Program) start() (*running, error) {
	cmd := &exec.Cmd{
		Path: p.Path, Args: p.Args, Env: p.Env(), Stdin: p.Stdin, Stdout: p.Stdout, Stderr: p.Stderr,
		WaitDelay: lastOutput,
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	r := &running{process: cmd.Process, done: make(chan struct{})}
	go func() { // It ends with the program.
		defer close(r.done)
		_ = cmd.Wait() // The state says more than the error.
		r.code = exitCode(cmd.ProcessState)
	}()
	return r, nil
}

func exitCode(state *os.ProcessState) int {
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() { //nolint:misspell // The name in package syscall.
		return CodeOf(status.Signal())
	}
	return state.ExitCode()
}

// signal passes a signal on. A program that has ended needs none.
func (r *running) signal(s os.Signal) error {
	if err := r.process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	return nil
}

// hasEnded says whether the program has ended by itself.
func (r *running) hasEnded() bool {
	select {
	case <-r.done:
		return true
	default:
		return false
	}
}
