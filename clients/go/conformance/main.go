// Command conformance makes the calls that it is told to, with the Go client: a command
// on a line of its standard input, a result on a line of its standard output.
// clients/conformance has the cases.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"time"

	"connectrpc.com/connect/v2"
	"google.golang.org/protobuf/proto"

	"github.com/admin-gateway/admin-gateway/client"
)

// command is what to do.
type command struct {
	Case   string   `json:"case"`
	Client dialling `json:"client"`

	Do               string            `json:"do"`
	Method           string            `json:"method"`
	Request          json.RawMessage   `json:"request"`
	Timeout          float64           `json:"timeout"`
	IdempotencyKey   string            `json:"idempotency_key"`
	NoIdempotencyKey bool              `json:"no_idempotency_key"`
	Headers          map[string]string `json:"headers"`
	Cancel           bool              `json:"cancel"`
}

// dialling has the arguments of client.Connect. A pointer tells unset from empty.
type dialling struct {
	Address       string   `json:"address"`
	CA            string   `json:"ca"`
	Token         *string  `json:"token"`
	TokenFile     *string  `json:"token_file"`
	TokenProvider []string `json:"token_provider"`
	Cert          string   `json:"cert"`
	Key           string   `json:"key"`
	Deadline      *float64 `json:"deadline"`
	Attempts      *int     `json:"attempts"`
	UserAgent     string   `json:"user_agent"`
}

func main() {
	commands := bufio.NewScanner(os.Stdin)
	commands.Buffer(nil, 64<<20)
	for commands.Scan() {
		var c command
		if err := json.Unmarshal(commands.Bytes(), &c); err != nil {
			fmt.Fprintln(os.Stderr, "conformance:", err)
			os.Exit(1)
		}
		line, err := json.Marshal(c.run(commands))
		if err != nil {
			fmt.Fprintln(os.Stderr, "conformance:", err)
			os.Exit(1)
		}
		fmt.Println(string(line))
	}
}

// run does one command, on a connection of its own.
func (c *command) run(commands *bufio.Scanner) *result {
	r := &result{Case: c.Case, IDs: []string{}}
	gateway, err := c.Client.connect(&r.ProviderCalls)
	if err != nil {
		return r.fail(err)
	}
	defer func() { _ = gateway.Close() }()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	info := new(connect.CallInfo)
	if c.Do != "lease" { // Its calls are made side by side, and one CallInfo is of one call at a time.
		ctx, info = connect.NewClientContext(ctx)
	}
	for name, value := range c.Headers {
		info.RequestHeader().Set(name, value)
	}
	if c.Timeout > 0 {
		ctx, cancel = context.WithTimeout(ctx, seconds(c.Timeout))
		defer cancel()
	}
	if c.IdempotencyKey != "" {
		ctx = client.WithIdempotencyKey(ctx, c.IdempotencyKey)
	}
	if c.NoIdempotencyKey {
		ctx = client.WithoutIdempotencyKey(ctx)
	}
	if c.Cancel {
		ended := make(chan error, 1)
		go func() { ended <- c.do(ctx, gateway, r) }()
		commands.Scan()
		cancel()
		err = <-ended
	} else {
		err = c.do(ctx, gateway, r)
	}
	fresh := client.FreshnessOf(info)
	r.Freshness.Hit = fresh.Hit
	if fresh.Known {
		r.Freshness.Age = proto.Float64(fresh.Age.Seconds())
	}
	if err != nil {
		return r.fail(err)
	}
	r.OK = true
	return r
}

// connect makes the client of a command.
func (d *dialling) connect(asked *int) (*client.Gateway, error) {
	var credential client.Credential
	switch {
	case d.Token != nil:
		credential = client.Token(*d.Token)
	case d.TokenFile != nil:
		credential = client.TokenFile(*d.TokenFile)
	case d.TokenProvider != nil:
		credential = client.TokenProvider(func(context.Context) (string, time.Time, error) {
			*asked++
			return d.TokenProvider[min(*asked, len(d.TokenProvider))-1], time.Time{}, nil
		})
	}
	var opts []client.Option
	if d.CA != "" {
		opts = append(opts, client.CA(d.CA))
	}
	if d.Cert != "" || d.Key != "" {
		opts = append(opts, client.Certificate(d.Cert, d.Key))
	}
	if d.Deadline != nil {
		opts = append(opts, client.Deadline(seconds(*d.Deadline)))
	}
	if d.Attempts != nil {
		opts = append(opts, client.Attempts(*d.Attempts))
	}
	if d.UserAgent != "" {
		opts = append(opts, client.UserAgent(d.UserAgent))
	}
	return client.Connect(d.Address, credential, slices.Clip(opts)...)
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
