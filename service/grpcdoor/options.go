package grpcdoor

import (
	"crypto/tls"
	"log/slog"
	"time"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connectproto"

	"github.com/admin-gateway/admin-gateway/internal/bounds"
	"github.com/admin-gateway/admin-gateway/internal/connguard"
)

// Encoder is a [connect.Codec] that knows messages that are encoded already.
type Encoder interface {
	// Encoded is the encoded form of msg; false for one that has to be encoded. Nobody
	// changes it.
	Encoded(msg any) (data []byte, ok bool, err error)
}

// Options configure a [Door]. The zero value is a working door without TLS. A
// value that is zero or less means the default; one beyond its bound means the
// bound.
type Options struct {
	// Codec is protobuf's binary form; default [connectproto.NewBinaryCodec]. It may be an
	// [Encoder].
	Codec connect.Codec
	// TLS protects the connections, and may ask for certificates of clients; the
	// call's [ServerInfo] has the verified state. [New] copies it. nil: HTTP/2 with
	// prior knowledge, without TLS.
	TLS *tls.Config
	// Logger gets panics that no interceptor recovered; the default discards
	// them.
	Logger *slog.Logger

	// MaxRequestBytes bounds a message of a client, as it is sent and as it is
	// after decompression; default 1 MiB, at most 64 MiB. A larger one is
	// RESOURCE_EXHAUSTED, and is not read.
	MaxRequestBytes int
	// CompressMinBytes is the least size of an answer that is compressed, where
	// the request came compressed; default 1 KiB, at most 64 MiB.
	CompressMinBytes int
	// MaxHeaderBytes bounds the metadata of a call, as HTTP/2 counts it (32 bytes
	// a pair besides its text); default 64 KiB, at most 1 MiB.
	MaxHeaderBytes int

	// MaxConnections bounds the open connections, as [connguard.Listener] does: a
	// new one never waits, and takes the place of an anonymous one. Default 1024, at
	// least 2, at most 65536.
	MaxConnections int
	// MaxConcurrentStreams bounds the calls on one connection, those among them
	// that were reset and whose handlers have not returned; default 250, at most
	// 10000.
	MaxConcurrentStreams int
	// ReadBufferBytes and WriteBufferBytes are held by every connection; default
	// 32 KiB each, at most 1 MiB.
	ReadBufferBytes  int
	WriteBufferBytes int

	// ConnectionTimeout is how long a client may take from the connection to its
	// first HTTP/2 frame, the TLS handshake included, and to its first authenticated
	// call, unless it makes health checks; default 10 s, at most 2 min.
	ConnectionTimeout time.Duration
	// MaxConnectionIdle closes a connection without calls; default 5 min, at most
	// a day.
	MaxConnectionIdle time.Duration
	// MaxConnectionAge asks clients to connect anew, give or take a tenth, so
	// that they find new replicas and show a certificate again; default 30 min, at
	// most a day. Calls in flight have MaxConnectionAgeGrace to end; default
	// 3 min, which is more than the longest call, at most a day.
	MaxConnectionAge      time.Duration
	MaxConnectionAgeGrace time.Duration
	// PingAfter is how long a connection may be silent before the door sends a
	// ping; default 1 min, at least 1 s, at most a day. A connection whose client
	// does not answer within PingTimeout is closed; default 20 s, at most 5 min.
	PingAfter   time.Duration
	PingTimeout time.Duration
	// MinClientPing is the shortest time between pings that a client may send,
	// with calls or without; a client that sends more is disconnected
	// (too_many_pings). Default 10 s, which is the least that grpc-go's clients
	// send; at most 1 h.
	MinClientPing time.Duration

	// Counters count the connections; nil counts for nobody.
	Counters *connguard.Counters

	// DrainTimeout is how long calls in flight may take to end when the door is
	// closed; default 15 s, at most 10 min.
	DrainTimeout time.Duration
}

// settled fills defaults in and holds values to their bounds.
func (o Options) settled() Options {
	if o.Codec == nil {
		o.Codec = connectproto.NewBinaryCodec()
	}
	if o.TLS != nil {
		o.TLS = o.TLS.Clone() // An http.Server that has the same one writes to it.
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	bounds.Settle(&o.MaxRequestBytes, 1<<20, 64<<20)
	bounds.Settle(&o.CompressMinBytes, 1<<10, 64<<20)
	bounds.Settle(&o.MaxHeaderBytes, 64<<10, 1<<20)
	bounds.Settle(&o.MaxConnections, 1024, 65536)
	bounds.Settle(&o.MaxConcurrentStreams, 250, 10_000)
	bounds.Settle(&o.ReadBufferBytes, 32<<10, 1<<20)
	bounds.Settle(&o.WriteBufferBytes, 32<<10, 1<<20)
	bounds.Settle(&o.ConnectionTimeout, 10*time.Second, 2*time.Minute)
	bounds.Settle(&o.MaxConnectionIdle, 5*time.Minute, bounds.Day)
	bounds.Settle(&o.MaxConnectionAge, 30*time.Minute, bounds.Day)
	bounds.Settle(&o.MaxConnectionAgeGrace, 3*time.Minute, bounds.Day)
	bounds.Settle(&o.PingAfter, time.Minute, bounds.Day)
	o.PingAfter = max(o.PingAfter, time.Second)
	bounds.Settle(&o.PingTimeout, 20*time.Second, 5*time.Minute)
	bounds.Settle(&o.MinClientPing, 10*time.Second, time.Hour)
	bounds.Settle(&o.DrainTimeout, 15*time.Second, 10*time.Minute)
	return o
}
