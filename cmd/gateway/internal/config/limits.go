package config

import "time"

// Limits bounds connections and requests, which each listener applies separately, and the
// policy file.
type Limits struct {
	// HeaderBytes bounds the header of a request, or the metadata of a call.
	HeaderBytes ByteSize `yaml:"header_bytes"`
	// RequestBytes bounds a request message, both compressed and decompressed.
	RequestBytes ByteSize `yaml:"request_bytes"`
	// ReadHeaderTimeout bounds the wait for a header, the handshake of a connection,
	// and the wait for its first authenticated call.
	ReadHeaderTimeout time.Duration `yaml:"read_header_timeout"`
	// ReadTimeout bounds the wait for a whole request.
	ReadTimeout time.Duration `yaml:"read_timeout"`
	// IdleTimeout closes a connection without requests.
	IdleTimeout time.Duration `yaml:"idle_timeout"`
	// LongestCall is the deadline of a call whose caller sets no earlier one.
	LongestCall time.Duration `yaml:"longest_call"`
	// ConcurrentStreams bounds the calls on one HTTP/2 connection.
	ConcurrentStreams int `yaml:"concurrent_streams"`
	// Connections bounds the open connections of a listener.
	Connections int `yaml:"connections"`
	// ConnectionAge is when a client is asked to reconnect.
	ConnectionAge time.Duration `yaml:"connection_age"`
	// PolicyBytes bounds the policy file.
	PolicyBytes ByteSize `yaml:"policy_bytes"`
}

// Shutdown configures how the gateway stops.
type Shutdown struct {
	// Delay is how long the gateway serves on while it reports that it is not ready,
	// so that load balancers notice.
	Delay time.Duration `yaml:"delay"`
	// Timeout bounds the whole shutdown, including the delay.
	Timeout time.Duration `yaml:"timeout"`
}

func defaultLimits(d Defaults) Limits {
	return Limits{
		HeaderBytes: 64 << 10, RequestBytes: 1 << 20,
		ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 2 * time.Minute, IdleTimeout: 2 * time.Minute,
		LongestCall:       d.LongestCall,
		ConcurrentStreams: 100, Connections: 1024, ConnectionAge: 30 * time.Minute,
		PolicyBytes: 32 << 20,
	}
}

func (l *Limits) settings() []setting {
	return []setting{
		{"limits.header_bytes", &l.HeaderBytes},
		{"limits.request_bytes", &l.RequestBytes},
		{"limits.read_header_timeout", &l.ReadHeaderTimeout},
		{"limits.read_timeout", &l.ReadTimeout},
		{"limits.idle_timeout", &l.IdleTimeout},
		{"limits.longest_call", &l.LongestCall},
		{"limits.concurrent_streams", &l.ConcurrentStreams},
		{"limits.connections", &l.Connections},
		{"limits.connection_age", &l.ConnectionAge},
		{"limits.policy_bytes", &l.PolicyBytes},
	}
}

// check reports values beyond their bounds.
func (l *Limits) check(fault func(key, format string, args ...any), longestCall time.Duration) {
	within(fault, "limits.header_bytes", l.HeaderBytes, 4<<10, 1<<20)
	within(fault, "limits.request_bytes", l.RequestBytes, 4<<10, 16<<20)
	within(fault, "limits.read_header_timeout", l.ReadHeaderTimeout, 100*time.Millisecond, 2*time.Minute)
	within(fault, "limits.read_timeout", l.ReadTimeout, 100*time.Millisecond, 10*time.Minute)
	within(fault, "limits.idle_timeout", l.IdleTimeout, time.Second, time.Hour)
	// A write's lease in the caches expires after twice the longest call.
	within(fault, "limits.longest_call", l.LongestCall, time.Second, longestCall)
	within(fault, "limits.concurrent_streams", l.ConcurrentStreams, 1, 10_000)
	within(fault, "limits.connections", l.Connections, 2, 65536)
	within(fault, "limits.connection_age", l.ConnectionAge, time.Second, 24*time.Hour)
	within(fault, "limits.policy_bytes", l.PolicyBytes, 4<<10, 256<<20)
}

func (s *Shutdown) check(fault func(key, format string, args ...any)) {
	within(fault, "shutdown.delay", s.Delay, 0, 5*time.Minute)
	within(fault, "shutdown.timeout", s.Timeout, time.Second, 15*time.Minute)
	if s.Timeout <= s.Delay {
		fault("shutdown.timeout", "%s leaves no time after the delay of %s", s.Timeout, s.Delay)
	}
}

// auditFlush is the longest time for the last audit records.
const auditFlush = 5 * time.Second

// cacheSettle is the longest time that is held back for invalidations that have not
// reached Redis. They also have what calls in flight leave of theirs.
const cacheSettle = 2 * time.Second

// Split divides the time after the delay: first calls in flight finish, then the
// invalidations that Redis lacks are sent, and then the audit log is flushed. The flush
// gets a quarter, and at most five seconds; the invalidations an eighth, and at most
// two, and what the calls leave.
func (s Shutdown) Split() (calls, settle, flush time.Duration) {
	left := s.Timeout - s.Delay
	settle, flush = min(cacheSettle, left/8), min(auditFlush, left/4)
	return left - settle - flush, settle, flush
}
