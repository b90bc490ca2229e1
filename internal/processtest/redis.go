//go:build unix

package processtest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Redis is a redis-server, which listens at a socket in its folder. Unless Args say
// otherwise, it forgets all when it is killed, except what was saved with [Redis.Save].
type Redis struct {
	// Program is its path. Folder, whose path is short, is for the socket, the log and
	// the data. Args are further arguments, and the last of those that say the same holds.
	Program, Folder string
	Args            []string

	process *Process
}

// Socket is where clients connect.
func (r *Redis) Socket() string { return filepath.Join(r.Folder, "redis.sock") }

// Start starts it, with the data that were saved, and waits until it answers.
func (r *Redis) Start(ctx context.Context) (err error) {
	if err := os.Remove(r.Socket()); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	args := []string{
		"--port", "0", "--unixsocket", r.Socket(), "--dir", r.Folder, "--dbfilename", "dump.rdb",
		"--save", "", "--appendonly", "no", "--loglevel", "notice",
	}
	r.process, err = Start("redis-server", filepath.Join(r.Folder, "redis.log"), r.Program, append(args, r.Args...)...)
	if err != nil {
		return err
	}
	return Until(ctx, Patience, func(ctx context.Context) error { return r.do(ctx, "PING", "+PONG") })
}

// Kill ends it at once. It is no error if it was never started.
func (r *Redis) Kill() error {
	if r.process == nil {
		return nil
	}
	return r.process.Kill()
}

// Stop halts it: connections stay, and nothing is answered.
func (r *Redis) Stop() error { return r.process.Signal(syscall.SIGSTOP) }

// Continue ends a Stop.
func (r *Redis) Continue() error { return r.process.Signal(syscall.SIGCONT) }

// Flush removes all data.
func (r *Redis) Flush(ctx context.Context) error { return r.do(ctx, "FLUSHALL", "+OK") }

// Bound bounds its memory; 0 is no bound. Beyond it, it refuses what needs memory.
func (r *Redis) Bound(ctx context.Context, bytes int) error {
	return r.do(ctx, fmt.Sprintf("CONFIG SET maxmemory %d", bytes), "+OK")
}

// Save keeps the data of this moment: a Redis that is killed and started again has
// these, as after a failover to a replica that lagged.
func (r *Redis) Save(ctx context.Context) error { return r.do(ctx, "SAVE", "+OK") }

// Forget removes what was saved.
func (r *Redis) Forget() error {
	err := os.Remove(filepath.Join(r.Folder, "dump.rdb"))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

// Listeners returns how many replicas have subscribed to the invalidations of the
// others.
func (r *Redis) Listeners(ctx context.Context) (n int, err error) {
	clients, err := r.ask(ctx, "CLIENT LIST")
	for line := range strings.Lines(clients) {
		if !strings.Contains(line, " sub=0 ") || !strings.Contains(line, " psub=0 ") {
			n++
		}
	}
	return n, err
}

// do sends a command, and compares the answer.
func (r *Redis) do(ctx context.Context, command, want string) error {
	answer, err := r.ask(ctx, command)
	if err == nil && answer != want {
		err = fmt.Errorf("redis-server answers %s with %q", command, answer)
	}
	return err
}

// ask sends a command, and returns the answer: a line, or the text of a bulk string.
func (r *Redis) ask(ctx context.Context, command string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	connection, err := new(net.Dialer).DialContext(ctx, "unix", r.Socket())
	if err != nil {
		return "", err
	}
	defer func() { _ = connection.Close() }()
	deadline, _ := ctx.Deadline()
	if err := connection.SetDeadline(deadline); err != nil {
		return "", err
	}
	if _, err := fmt.Fprintf(connection, "%s\r\n", command); err != nil {
		return "", err
	}
	reader := bufio.NewReader(connection)
	line, err := reader.ReadString('\n')
	line = strings.TrimSpace(line)
	length, bulk := strings.CutPrefix(line, "$")
	if err != nil || !bulk {
		return line, err
	}
	size, err := strconv.Atoi(length)
	if err != nil || size < 0 || size > 1<<20 {
		return "", fmt.Errorf("redis-server answers %s with %q", command, line)
	}
	text := make([]byte, size)
	_, err = io.ReadFull(reader, text)
	return string(text), err
}
