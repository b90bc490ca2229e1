package client

import (
	"fmt"
	"time"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connecthttp"
)

const (
	// DefaultDeadline is how long a unary call may take with its repetitions, where its
	// context has no deadline.
	DefaultDeadline = 30 * time.Second
	// DefaultAttempts is how often a call is made at most.
	DefaultAttempts = 5
	// MaxMessage is the size of the largest message that is read.
	MaxMessage = 64 << 20
	// MaxMetadata is the size of the headers and of the trailers that are read.
	MaxMetadata = 1 << 20

	// keepAlive is how long a connection may be silent before it is probed. A gateway
	// refuses probes that come more often than every ten seconds.
	keepAlive = time.Minute
	// probeTime is how long the answer to a probe may take.
	probeTime = 20 * time.Second
	// dialTime bounds a connection attempt, and the TLS handshake.
	dialTime = 10 * time.Second

	firstPause, longestPause = 100 * time.Millisecond, 5 * time.Second
)

// Option changes how [Connect] connects.
type Option func(*options)

type options struct {
	ca           string
	cert, key    string
	plaintext    bool
	deadline     time.Duration
	attempts     int
	userAgent    string
	keys         bool
	protocol     []connecthttp.Option
	interceptors []connect.ClientInterceptor
}

// CA is the path of a file of certificates in PEM, or the PEM itself, by which the
// gateway is known, in place of the system's.
func CA(pathOrPEM string) Option { return func(o *options) { o.ca = pathOrPEM } }

// Certificate is the client's certificate and its private key, files in PEM. They are
// read again with each connection. A connection with one needs no other credential.
func Certificate(cert, key string) Option { return func(o *options) { o.cert, o.key = cert, key } }

// Plaintext allows an http:// address that is not a loopback one. Whoever is on the way
// reads the token.
func Plaintext() Option { return func(o *options) { o.plaintext = true } }

// Deadline is how long a unary call may take with its repetitions, in place of
// [DefaultDeadline]. The deadline of a call's own context takes precedence.
func Deadline(d time.Duration) Option { return func(o *options) { o.deadline = d } }

// Attempts is how often a call is made at most, in place of [DefaultAttempts]; 1 means
// that none is repeated.
func Attempts(n int) Option { return func(o *options) { o.attempts = n } }

// UserAgent names the application, ahead of this package's name and version.
func UserAgent(product string) Option { return func(o *options) { o.userAgent = product } }

// NoIdempotencyKeys sends no keys but those that callers give. A write without one is
// never repeated.
func NoIdempotencyKeys() Option { return func(o *options) { o.keys = false } }

// UseConnect speaks the Connect protocol in place of gRPC: also where a proxy allows
// nothing but HTTP/1.1. Reads are POSTs.
func UseConnect() Option { return func(o *options) { o.protocol = nil } }

// Interceptors see each call once, whatever it takes to answer it, and its error as the
// caller gets it.
func Interceptors(interceptors ...connect.ClientInterceptor) Option {
	return func(o *options) { o.interceptors = append(o.interceptors, interceptors...) }
}

// ConfigError is the error of [Connect] about an argument.
type ConfigError struct {
	// Argument is its name: address, token, token_file, token_provider, ca,
	// cert, key, deadline, attempts or user_agent.
	Argument string
	// Problem is what is wrong with it. It has no secrets.
	Problem string
	// Err is the cause, where there is one.
	Err error
}

// Error implements error.
func (e *ConfigError) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("client: %s %s", e.Argument, e.Problem)
	}
	return fmt.Sprintf("client: %s %s: %v", e.Argument, e.Problem, e.Err)
}

// Unwrap returns the cause.
func (e *ConfigError) Unwrap() error { return e.Err }

// check finds what no connection can be made with.
func (o *options) check() error {
	switch {
	case o.deadline <= 0:
		return &ConfigError{Argument: "deadline", Problem: "must be positive"}
	case o.attempts < 1:
		return &ConfigError{Argument: "attempts", Problem: "must be at least 1"}
	case !printable(o.userAgent, ' '):
		return &ConfigError{Argument: "user_agent", Problem: "must be printable ASCII"}
	case o.cert != "" && o.key == "":
		return &ConfigError{Argument: "key", Problem: "is missing beside cert"}
	case o.key != "" && o.cert == "":
		return &ConfigError{Argument: "cert", Problem: "is missing beside key"}
	}
	return nil
}

// printable says whether a text has only printable ASCII, from a first character on.
func printable(text string, first byte) bool {
	for i := range len(text) {
		if text[i] < first || text[i] > '~' {
			return false
		}
	}
	return true
}
