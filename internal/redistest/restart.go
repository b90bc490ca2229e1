package redistest

import (
	"net"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/admin-gateway/admin-gateway/internal/suitetest"
)

// Server is a redis-server that a test kills, starts again and pauses.
type Server struct {
	// Addr is its address, also after a restart.
	Addr string

	dir, port string
	args      []string
	stop      func()
}

// StartServer starts a redis-server that loads and saves dump.rdb.
func StartServer(tb testing.TB, args ...string) *Server {
	tb.Helper()
	s := &Server{dir: tb.TempDir(), port: FreePort(tb)}
	s.Addr = net.JoinHostPort("127.0.0.1", s.port)
	s.args = append(args, "--dir", s.dir)
	s.Start(tb)
	return s
}

// Kill ends the server as a crash does: what it has not saved is lost.
func (s *Server) Kill() { s.stop() }

// Start starts the server again, with what it has saved.
func (s *Server) Start(tb testing.TB) {
	tb.Helper()
	stop, ok := runRedis(tb, suitetest.RedisPath(tb), s.port, s.args)
	if !ok {
		tb.Fatal("redis-server does not start")
	}
	s.stop = stop
}

// Save writes dump.rdb.
func (s *Server) Save(tb testing.TB) {
	tb.Helper()
	if err := Client(tb, s.Addr).Save(tb.Context()).Err(); err != nil {
		tb.Fatal(err)
	}
}

// Pause stops the process until resume is called.
func (s *Server) Pause(tb testing.TB) (resume func()) {
	tb.Helper()
	info, err := Client(tb, s.Addr).Info(tb.Context(), "server").Result()
	if err != nil {
		tb.Fatal(err)
	}
	_, after, _ := strings.Cut(info, "process_id:")
	text, _, _ := strings.Cut(after, "\r\n")
	pid, err := strconv.Atoi(text)
	if err != nil {
		tb.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		tb.Fatal(err)
	}
	return func() {
		if err := syscall.Kill(pid, syscall.SIGCONT); err != nil {
			tb.Fatal(err)
		}
	}
}
