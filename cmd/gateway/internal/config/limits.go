package config

import "time"

// Limits bounds what connections may ask, of each listener alike.
type Limits struct {
	// HeaderBytes bounds the header of a request, or the metadata of a call.
	HeaderBytes ByteSize `yaml:"header_bytes"`
	// RequestBytes bounds a message of a caller, as it is sent and as it is after
	// decompression.
	RequestBytes ByteSize `yaml:"request_bytes"`
	// ReadHeaderTimeout is how long a header, or the beginning of a connection,
	// may take.
	ReadHeaderTimeout time.Duration `yaml:"read_header_timeout"`
	// ReadTimeout is how long a whole request may take to come.
	ReadTimeout time.Duration `yaml:"read_timeout"`
	// IdleTimeout closes a connection without requests.
	IdleTimeout time.Duration `yaml:"idle_timeout"`
	// LongestCall ends a call whose caller sets no earlier deadline.
	LongestCall time.Duration `yaml:"longest_call"`
	// ConcurrentStreams bounds the calls on one HTTP/2 connection.
	ConcurrentStreams int `yaml:"concurrent_streams"`
	// Connections bounds the open connections of a listener.
	Connections int `yaml:"connections"`
	// ConnectionAge is when a client is asked to connect anew.
	ConnectionAge time.Duration `yaml:"connection_age"`
}

// Shutdown says how the gateway ends.
type Shutdown struct {
	// Delay is how long it goes on as before, but for saying that it is not ready:
	// whoever sends callers here has to hear of it first.
	Delay time.Duration `yaml:"delay"`
	// Timeout bounds the end as a whole, with the delay.
	Timeout time.Duration `yaml:"timeout"`
}

func defaultLimits(d Defaults) Limits {
	return Limits{
		HeaderBytes: 64 << 10, RequestBytes: 1 << 20,
		ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 2 * time.Minute, IdleTimeout: 2 * time.Minute,
		LongestCall:       d.LongestCall,
		ConcurrentStreams: 100, Connections: 1024, ConnectionAge: 30 * time.Minute,
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
	}
}

// check holds every value to its bounds.
func (l *Limits) check(fault func(key, format string, args ...any), longestCall time.Duration) {
	within(fault, "limits.header_bytes", l.HeaderBytes, 4<<10, 1<<20)
	within(fault, "limits.request_bytes", l.RequestBytes, 4<<10, 16<<20)
	within(fault, "limits.read_header_timeout", l.ReadHeaderTimeout, 100*time.Millisecond, 2*time.Minute)
	within(fault, "limits.read_timeout", l.ReadTimeout, 100*time.Millisecond, 10*time.Minute)
	within(fault, "limits.idle_timeout", l.IdleTimeout, time.Second, time.Hour)
	// What a write holds in the caches is given up after twice the longest call.
	within(fault, "limits.longest_call", l.LongestCall, time.Second, longestCall)
	within(fault, "limits.concurrent_streams", l.ConcurrentStreams, 1, 10_000)
	within(fault, "limits.connections", l.Connections, 1, 65536)
	within(fault, "limits.connection_age", l.ConnectionAge, time.Second, 24*time.Hour)
}

func (s *Shutdown) check(fault func(key, format string, args ...any)) {
	within(fault, "shutdown.delay", s.Delay, 0, 5*time.Minute)
	within(fault, "shutdown.timeout", s.Timeout, time.Second, 15*time.Minute)
	if s.Timeout <= s.Delay {
		fault("shutdown.timeout", "%s leave no time after the delay of %s", s.Timeout, s.Delay)
	}
}

// AuditFlush is how long the last audit records may take at the end.
const AuditFlush = 5 * time.Second

// Split says how long calls may take to end, and how long the last records after
// them: a quarter of what is left after the delay, and no more than it takes.
func (s Shutdown) Split() (calls, flush time.Duration) {
	left := s.Timeout - s.Delay
	flush = min(AuditFlush, left/4)
	return left - flush, flush
}
