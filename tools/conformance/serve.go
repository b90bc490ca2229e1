package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"

	"google.golang.org/protobuf/proto"
)

// mostRequest bounds the runner's description of the server that it wants: two
// certificates and a key.
const mostRequest = 1 << 20

// wanted is the server that the runner asks for.
type wanted struct {
	secure            bool
	cert, key, client []byte // PEM; client is empty where clients show no certificate
	maxRequestBytes   int
}

// serve starts the server that in describes, writes its address to out, and serves
// until ctx ends.
func serve(ctx context.Context, s schema, start starter, in io.Reader, out io.Writer) error {
	asked := newMessage(s.request)
	if err := readMessage(in, asked); err != nil {
		return fmt.Errorf("read the description of the wanted server: %w", err)
	}
	creds := asked.child("server_creds")
	w := wanted{
		secure:          asked.get("use_tls").Bool(),
		cert:            creds.get("cert").Bytes(),
		key:             creds.get("key").Bytes(),
		client:          asked.get("client_tls_cert").Bytes(),
		maxRequestBytes: int(asked.get("message_receive_limit").Uint()),
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	run, err := start(ctx, s, w)
	if err != nil {
		return errors.Join(err, l.Close())
	}
	host, port, err := hostPort(l.Addr())
	if err != nil {
		return errors.Join(err, l.Close())
	}
	said := newMessage(s.response)
	said.set("host", host)
	said.set("port", port)
	if w.secure {
		said.set("pem_cert", w.cert)
	}
	// A client that connects before it is served waits in the listener's queue.
	if err := writeMessage(out, said); err != nil {
		return errors.Join(err, l.Close())
	}
	return run(ctx, l)
}

func hostPort(address net.Addr) (string, uint32, error) {
	tcp, ok := address.(*net.TCPAddr)
	if !ok {
		return "", 0, fmt.Errorf("listening on %s", address)
	}
	return tcp.IP.String(), uint32(tcp.Port), nil
}

// readMessage reads a message after its length, four bytes of it.
func readMessage(in io.Reader, m message) error {
	var prefix [4]byte
	if _, err := io.ReadFull(in, prefix[:]); err != nil {
		return err
	}
	length := binary.BigEndian.Uint32(prefix[:])
	if length > mostRequest {
		return fmt.Errorf("a message of %d bytes", length)
	}
	wire := make([]byte, length)
	if _, err := io.ReadFull(in, wire); err != nil {
		return err
	}
	return proto.Unmarshal(wire, m.Interface())
}

func writeMessage(out io.Writer, m message) error {
	wire, err := proto.Marshal(m.Interface())
	if err != nil {
		return err
	}
	_, err = out.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(wire))), wire...))
	return err
}
