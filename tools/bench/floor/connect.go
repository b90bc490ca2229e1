package floor

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connecthttp"
	"github.com/redis/go-redis/v9"
)

// wireCodec passes messages through as they are on the wire.
type wireCodec string

// Name is that of the form on the wire.
func (c wireCodec) Name() string { return string(c) }

// MarshalWrite takes bytes.
func (wireCodec) MarshalWrite(_ context.Context, w io.Writer, message any) error {
	data, ok := message.([]byte)
	if !ok {
		return fmt.Errorf("a %T is not bytes", message)
	}
	_, err := w.Write(data)
	return err
}

// UnmarshalRead stores into a *[]byte.
func (wireCodec) UnmarshalRead(_ context.Context, r io.Reader, message any) error {
	data, ok := message.(*[]byte)
	if !ok {
		return fmt.Errorf("a %T does not take bytes", message)
	}
	var err error
	*data, err = io.ReadAll(r)
	return err
}

// connectServer serves the methods that are measured, by the function.
func connectServer(ctx context.Context, l net.Listener, answer func(ctx context.Context, request []byte) ([]byte, error)) error {
	server := connect.NewServer()
	for _, name := range []string{"ListProjects", "GetProject"} {
		server.Register(connect.Method{
			Spec: connect.Spec{StreamType: connect.StreamTypeUnary, Procedure: "/" + service + "/" + name, IdempotencyLevel: connect.IdempotencyNoSideEffects},
			Handler: func(ctx context.Context, _ connect.Spec, stream connect.ServerStream) error {
				var request []byte
				if err := stream.Receive(&request); err != nil {
					return err
				}
				message, err := answer(ctx, request)
				if err != nil {
					return err
				}
				return stream.Send(message)
			},
		})
	}
	mux := http.NewServeMux()
	connecthttp.Mount(mux, server, connecthttp.WithCodecs(wireCodec("proto"), wireCodec("json")))
	return serveHTTP(ctx, l, mux)
}

func serveConnect(ctx context.Context, l net.Listener, _ Options, answer []byte) error {
	return connectServer(ctx, l, func(context.Context, []byte) ([]byte, error) { return answer, nil })
}

// redisLife is how long the answers of the floor stay in Redis.
const redisLife = time.Hour

// serveRedis answers each call with what one GET finds. The first call with a request
// stores its answer.
func serveRedis(ctx context.Context, l net.Listener, o Options, answer []byte) error {
	client := redis.NewClient(&redis.Options{Addr: o.Redis})
	err := connectServer(ctx, l, func(ctx context.Context, request []byte) ([]byte, error) {
		key := fmt.Sprintf("floor:%x", sha256.Sum256(request))
		found, err := client.Get(ctx, key).Bytes()
		if errors.Is(err, redis.Nil) {
			return answer, client.Set(ctx, key, answer, redisLife).Err()
		}
		return found, err
	})
	return errors.Join(err, client.Close())
}
