//go:build unix

package audit

import (
	"errors"
	"io"
	"net"
	"syscall"
)

// closedByPeer reads what there is without waiting. A connection that is still open
// has nothing, or something that nobody asked for.
func closedByPeer(conn net.Conn) error {
	c, ok := conn.(syscall.Conn)
	if !ok {
		return nil
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	var found error
	err = raw.Read(func(fd uintptr) bool {
		var unasked [512]byte
		const most = 16 // A collector that talks without an end ends nothing.
		for range most {
			n, err := syscall.Read(int(fd), unasked[:])
			switch {
			case errors.Is(err, syscall.EAGAIN) || errors.Is(err, syscall.EINTR):
				return true
			case err != nil:
				found = err
				return true
			case n == 0:
				found = io.EOF
				return true
			}
		}
		return true
	})
	return errors.Join(err, found)
}
