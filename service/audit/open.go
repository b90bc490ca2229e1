package audit

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
	"time"
)

// openPath opens a file, FIFO or character device to append to it.
func openPath(path string, create bool, _ time.Duration) (s stream, torn bool, err error) {
	// Without O_NONBLOCK, a FIFO would make the open wait for a reader, and its
	// writes could have no deadline.
	flags := os.O_WRONLY | os.O_APPEND | syscall.O_NONBLOCK
	if create {
		flags |= os.O_CREATE
	}
	file, err := os.OpenFile(path, flags, 0o600)
	if err != nil {
		if errors.Is(err, syscall.ENXIO) && isFIFO(path) {
			err = errNoReader
		}
		return nil, false, err
	}
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() && info.Mode()&(fs.ModeNamedPipe|fs.ModeCharDevice) == 0 {
		err = fmt.Errorf("cannot be appended to: %s", info.Mode().Type())
	}
	if err != nil {
		_ = file.Close()
		return nil, false, err
	}
	return file, endsTorn(path, info), nil
}

func isFIFO(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode()&fs.ModeNamedPipe != 0
}

// endsTorn tells whether the file ends in the middle of a line, as it does when
// the disk was full and the process went away. A file that may be written and
// not read is taken to be whole.
func endsTorn(path string, info os.FileInfo) bool {
	if !info.Mode().IsRegular() || info.Size() == 0 {
		return false
	}
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return false
	}
	defer func() { _ = file.Close() }()
	if now, err := file.Stat(); err != nil || !os.SameFile(info, now) {
		return false
	}
	last := make([]byte, 1)
	_, err = file.ReadAt(last, info.Size()-1)
	return err == nil && last[0] != '\n'
}

// plain is a writer without deadlines that is never closed.
type plain struct{ io.Writer }

// SetWriteDeadline fails.
func (plain) SetWriteDeadline(time.Time) error { return os.ErrNoDeadline }

// Close does nothing: the writer belongs to the caller of [Open].
func (plain) Close() error { return nil }

// ownStdout gives a stream onto stdout that can be closed without it.
func ownStdout(stdout io.Writer) stream {
	if file, ok := stdout.(*os.File); ok {
		if own, err := ownDescriptor(file); err == nil {
			return own
		}
	}
	return plain{stdout}
}
