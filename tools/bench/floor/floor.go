package floor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"slices"
	"strings"
)

// Options say what a floor serves.
type Options struct {
	// Answer is the file with the message that it answers, as it is on the wire of a
	// unary call over Connect.
	Answer string
	// TokenHash is the SHA-256 of the caller's token in hex, and Record the file of the
	// records. Fair floors need both.
	TokenHash, Record string
	// Redis is the address of a Redis, for the floor that makes a GET of each call.
	Redis string
}

// serve serves a listener until ctx ends.
type serve func(ctx context.Context, l net.Listener, o Options, answer []byte) error

var kinds = map[string]serve{
	"grpc":      serveGRPC,
	"grpc-fair": serveFairGRPC,
	"connect":   serveConnect,
	"http-fair": serveFairHTTP,
	"redis":     serveRedis,
	"upstream":  serveUpstream,
}

// Kinds are the names of the floors.
func Kinds() []string { return slices.Sorted(maps.Keys(kinds)) }

// Serve serves a floor on a port of 127.0.0.1 until ctx ends, and writes its address to
// out.
func Serve(ctx context.Context, kind string, o Options, out io.Writer) error {
	serve, ok := kinds[kind]
	if !ok {
		return fmt.Errorf("no floor %q: they are %s", kind, strings.Join(Kinds(), ", "))
	}
	if strings.Contains(kind, "fair") && (o.TokenHash == "" || o.Record == "") {
		return errors.New("a fair floor needs a token's hash and a file for its records")
	}
	answer, err := os.ReadFile(o.Answer)
	if err != nil {
		return err
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(out, "serves on %s\n", l.Addr()); err != nil {
		return errors.Join(err, l.Close())
	}
	return serve(ctx, l, o, answer)
}
