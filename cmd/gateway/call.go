package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"connectrpc.com/connect/v2"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/admin-gateway/admin-gateway/client"
	"github.com/admin-gateway/admin-gateway/client/inventories"
	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/build"
	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/config"
	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/dial"
	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/fill"
	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/output"
	"github.com/admin-gateway/admin-gateway/pages"
	"github.com/admin-gateway/admin-gateway/service/catalog"
)

const (
	// maxRequestText bounds a request that is read from a file.
	maxRequestText = 4 << 20
	// maxPages bounds a walk with --all.
	maxPages = 100_000
)

type callCommand struct {
	dial.Flags
	RPC     string `arg:"" complete:"rpc" name:"service/method" help:"RPC, such as ProjectService/GetProject; the package ahead of it is needed where two have the name. gateway catalog lists all."`
	Request string `arg:"" optional:"" name:"json" help:"The request as ProtoJSON; @FILE reads it from a file, and - from the standard input."`

	Field          []string      `short:"f" sep:"none" complete:"field" placeholder:"NAME=VALUE" help:"A field of the request, after the JSON: project_id=proj_a, metadata.team=x; may be repeated."`
	All            bool          `help:"Walk a list to its end, over all its pages."`
	Header         []string      `short:"H" sep:"none" placeholder:"NAME:VALUE" help:"A header of the call, such as cache-control:no-cache; may be repeated."`
	IdempotencyKey string        `placeholder:"KEY" help:"Key of a write: the same write with the same key is made once. A random one without it."`
	Timeout        time.Duration `default:"2m" help:"How long each call may take, with its repetitions; streams have no end of their own."`
	Format         output.Format `enum:"table,json,yaml" default:"table" help:"table, json (one line for each item of a walk or stream) or yaml."`
}

// Help says what no flag does.
func (*callCommand) Help() string { return callExits }

// Run makes the call, and prints what it answers.
func (c *callCommand) Run(ctx context.Context, std streams) error {
	methods, err := build.LoadCatalog(config.Upstream{})
	if err != nil {
		return err
	}
	method, err := methods.Find(c.RPC)
	if err != nil {
		return &exitError{2, fmt.Errorf("%w; gateway catalog lists all of them", err)}
	}
	request, err := c.request(method)
	if err != nil {
		return &exitError{2, fmt.Errorf("%s: %w", method.ShortName(), err)}
	}
	gateway, err := c.Gateway(client.Deadline(c.Timeout))
	if err != nil {
		return err
	}
	defer func() { _ = gateway.Close() }()
	calling, err := c.context(ctx)
	if err != nil {
		return &exitError{2, err}
	}
	out := newAnswers(std, c.Format)
	switch {
	case method.Spec().StreamType == connect.StreamTypeServer:
		err = out.stream(calling, gateway, method, request)
	case method.Spec().StreamType != connect.StreamTypeUnary:
		return fmt.Errorf("%s takes a stream of requests, which a command line is not", method.ShortName())
	case c.All:
		err = out.walk(calling, gateway, method, request)
	default:
		response := method.Response.New().Interface()
		if err = gateway.Client().CallUnary(calling, method.Spec(), request, response); err == nil {
			return out.answer(method, response)
		}
	}
	return errors.Join(out.close(), callFailed(ctx, err))
}

// request is the one of the command line.
func (c *callCommand) request(method *catalog.Method) (proto.Message, error) {
	text := c.Request
	var from io.Reader
	switch {
	case text == "-":
		from = os.Stdin
	case strings.HasPrefix(text, "@"):
		file, err := os.Open(text[1:])
		if err != nil {
			return nil, err
		}
		defer func() { _ = file.Close() }()
		from = file
	}
	if from != nil {
		read, err := io.ReadAll(io.LimitReader(from, maxRequestText+1))
		if err != nil {
			return nil, err
		}
		if len(read) > maxRequestText {
			return nil, fmt.Errorf("the request is longer than %d bytes", maxRequestText)
		}
		text = string(read)
	}
	request := method.Request.New().Interface()
	return request, fill.Request(request, text, c.Field)
}

// context has the headers of the call.
func (c *callCommand) context(ctx context.Context) (context.Context, error) {
	if c.IdempotencyKey != "" {
		ctx = client.WithIdempotencyKey(ctx, c.IdempotencyKey)
	}
	if len(c.Header) == 0 {
		return ctx, nil
	}
	ctx, info := connect.NewClientContext(ctx)
	for _, header := range c.Header {
		name, value, ok := strings.Cut(header, ":")
		if name = strings.TrimSpace(name); !ok || name == "" || strings.ContainsAny(header, "\r\n") {
			return nil, fmt.Errorf("flag --header: %q is not NAME:VALUE", header)
		}
		if strings.EqualFold(name, "authorization") {
			return nil, errors.New("flag --header: give the token with --token-file or the variable " + dial.TokenVariable)
		}
		info.RequestHeader().Add(name, strings.TrimSpace(value))
	}
	return ctx, nil
}

// answers prints what calls answer.
type answers struct {
	std    streams
	format output.Format
	rows   *output.Rows
	// noted is how long the note on the terminal is, which the next one replaces.
	noted bool
}

func newAnswers(std streams, format output.Format) *answers {
	return &answers{std: std, format: format, rows: output.NewRows(std.out, output.Width(std.out))}
}

// answer prints an answer that stands alone. Of a page of a list it shows the items.
func (a *answers) answer(method *catalog.Method, response proto.Message) error {
	if a.format != output.Text {
		return output.Whole(a.std.out, a.format, response)
	}
	page := response.ProtoReflect()
	list, err := pages.ListOf(method.Request.Descriptor(), method.Response.Descriptor())
	if err != nil {
		return output.Fields(a.std.out, output.Width(a.std.out), page)
	}
	items := page.Get(list.Items()).List()
	for i := range items.Len() {
		if err := a.item(items.Get(i).Message()); err != nil {
			return err
		}
	}
	if err := a.rows.Close(); err != nil {
		return err
	}
	if next, err := list.Trail("", 2).Next(page); err != nil || next != "" {
		_, err := fmt.Fprintln(a.std.err, "there are more: --all walks all pages")
		return err
	}
	return nil
}

// item prints one of many.
func (a *answers) item(message protoreflect.Message) error {
	if a.format != output.Text {
		return output.One(a.std.out, a.format, message.Interface())
	}
	return a.rows.Add(message)
}

// close prints what is kept.
func (a *answers) close() error {
	a.note("")
	if a.format != output.Text {
		return nil
	}
	return a.rows.Close()
}

// walk reads a list to its end, or fails.
func (a *answers) walk(ctx context.Context, gateway *client.Gateway, method *catalog.Method, request proto.Message) error {
	list, err := pages.ListOf(method.Request.Descriptor(), method.Response.Descriptor())
	if err != nil {
		return &exitError{2, fmt.Errorf("flag --all: %s is not a list", method.ShortName())}
	}
	message := request.ProtoReflect()
	trail := list.Trail(message.Get(list.Cursor()).String(), maxPages)
	for n := 0; ; {
		page := method.Response.New()
		if err := gateway.Client().CallUnary(ctx, method.Spec(), request, page.Interface()); err != nil {
			return err
		}
		items := page.Get(list.Items()).List()
		for i := range items.Len() {
			if err := a.item(items.Get(i).Message()); err != nil {
				return err
			}
		}
		n += items.Len()
		next, err := trail.Next(page)
		if err != nil || next == "" {
			return err
		}
		a.note(fmt.Sprintf("%d so far", n))
		message.Set(list.Cursor(), protoreflect.ValueOfString(next))
	}
}

// stream reads a stream to its end. An inventory goes on where it was cut off, and fails
// where it is not whole in the end.
func (a *answers) stream(ctx context.Context, gateway *client.Gateway, method *catalog.Method, request proto.Message) error {
	open := func(ctx context.Context, request proto.Message) (messages, error) {
		opened, err := gateway.Client().CallServerStream(ctx, method.Spec(), request)
		return messages{opened, method.Response}, err
	}
	if _, ok := method.Response.New().Interface().(inventories.Message); ok {
		return a.inventory(ctx, func(ctx context.Context, request proto.Message) (inventory, error) {
			opened, err := open(ctx, request)
			return inventory{opened}, err
		}, request)
	}
	stream, err := open(ctx, request)
	if err != nil {
		return err
	}
	defer func() { _ = stream.Close() }()
	for {
		message, err := stream.receive()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		// As it comes: a stream may have no end.
		if err := output.One(a.std.out, inLines(a.format), message); err != nil {
			return err
		}
	}
}

// inLines is the format of a stream of different things, of which there is no table.
func inLines(format output.Format) output.Format {
	if format == output.Text {
		return output.JSON
	}
	return format
}

// inventory reads an inventory.
func (a *answers) inventory(ctx context.Context, open func(context.Context, proto.Message) (inventory, error), request proto.Message) error {
	for page, err := range inventories.Walk[proto.Message, inventories.Message](ctx, open, request, inventories.OnProgress(a.progress)) {
		if err != nil {
			return err
		}
		if err := a.event(page.ProtoReflect()); err != nil {
			return err
		}
	}
	return nil
}
