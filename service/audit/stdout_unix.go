//go:build unix

package audit

import (
	"errors"
	"io/fs"
	"os"
	"runtime"
	"strconv"
	"syscall"
)

// ownDescriptor opens what file is open on, under another descriptor: on
// descriptors 1 and 2, and only there, Go ends the process at a broken pipe.
func ownDescriptor(file *os.File) (*os.File, error) {
	conn, err := file.SyscallConn()
	if err != nil {
		return nil, err
	}
	var own *os.File
	// Not file.Fd, which would change the mode of the file.
	if outer := conn.Control(func(fd uintptr) {
		if own, err = openPipeAgain(file, fd); err != nil {
			own, err = duplicate(file, fd)
		}
	}); outer != nil {
		return nil, outer
	}
	return own, err
}

// openPipeAgain opens a pipe by its name in /proc. Its writes may then have
// deadlines: those of a mere duplicate could not without making the descriptor
// non-blocking for everybody who shares it, this process's log for one.
func openPipeAgain(file *os.File, fd uintptr) (*os.File, error) {
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if runtime.GOOS != "linux" || info.Mode()&fs.ModeNamedPipe == 0 {
		return nil, errors.ErrUnsupported
	}
	return os.OpenFile("/proc/self/fd/"+strconv.Itoa(int(fd)), os.O_WRONLY|syscall.O_NONBLOCK, 0)
}

// duplicate shares the position in a file, so that what the process writes
// there by other ways is not written over.
func duplicate(file *os.File, fd uintptr) (*os.File, error) {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	own, err := syscall.Dup(int(fd))
	if err != nil {
		return nil, err
	}
	syscall.CloseOnExec(own)
	return os.NewFile(uintptr(own), file.Name()), nil
}
