package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/admin-gateway/admin-gateway/client"
	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/build"
	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/config"
	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/dial"
	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/fill"
	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/output"
	controlv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/control/v1"
	"github.com/admin-gateway/admin-gateway/gen/admingateway/control/v1/controlv1connect"
	"github.com/admin-gateway/admin-gateway/service/catalog"
)

// cacheCommand has what operators do with stored answers.
type cacheCommand struct {
	Get   cacheGetCommand   `cmd:"" help:"Show where the answer to a read is stored, how old it is, and for how long it is fresh."`
	Purge cachePurgeCommand `cmd:"" help:"Remove stored answers from every replica, so that the next read of each asks the upstream."`
}

// operatorFlags are the flags of commands that make a call.
type operatorFlags struct {
	dial.Flags
	Timeout time.Duration `default:"30s" help:"How long the call may take, with its repetitions."`
	Format  output.Format `enum:"table,json,yaml" default:"table" help:"table, json or yaml."`
}

func (f *operatorFlags) cache() (controlv1connect.CacheServiceClient, func(), error) {
	gateway, err := f.Gateway(client.Deadline(f.Timeout))
	if err != nil {
		return nil, nil, err
	}
	return controlv1connect.NewCacheServiceClient(gateway.Client()), func() { _ = gateway.Close() }, nil
}

// findRead finds a read by its name.
func findRead(name string) (*catalog.Method, error) {
	methods, err := build.LoadCatalog(config.Upstream{})
	if err != nil {
		return nil, err
	}
	method, err := methods.Find(name)
	switch {
	case err != nil:
		return nil, &exitError{2, fmt.Errorf("%w; gateway catalog lists all of them", err)}
	case !method.Stored():
		return nil, &exitError{2, fmt.Errorf("the answers of %s are never stored", method.ShortName())}
	}
	return method, nil
}

type cacheGetCommand struct {
	operatorFlags
	onceFlag
	RPC     string   `arg:"" complete:"read" name:"service/method" help:"The read, such as ProjectService/GetProject."`
	Request string   `arg:"" optional:"" name:"json" help:"Its request as ProtoJSON."`
	Field   []string `short:"f" sep:"none" complete:"field" placeholder:"NAME=VALUE" help:"A field of the request, after the JSON; may be repeated."`
}

// Help says what no flag does.
func (*cacheGetCommand) Help() string { return callExits }

// Run shows the copies of an answer.
func (c *cacheGetCommand) Run(ctx context.Context, std streams) error {
	method, err := findRead(c.RPC)
	if err != nil {
		return err
	}
	read := method.Request.New().Interface()
	if err := fill.Request(read, c.Request, c.Field); err != nil {
		return &exitError{2, fmt.Errorf("%s: %w", method.ShortName(), err)}
	}
	text, err := protojson.Marshal(read)
	if err != nil {
		return err
	}
	request := new(structpb.Struct)
	if err := protojson.Unmarshal(text, request); err != nil {
		return err
	}
	service, end, err := c.cache()
	if err != nil {
		return err
	}
	defer end()
	answer, err := service.GetEntry(ctx, &controlv1.GetEntryRequest{Method: method.Name(), Request: request})
	if err != nil {
		return callFailed(ctx, err)
	}
	if c.Format != output.Text {
		return output.Whole(std.out, c.Format, answer)
	}
	if len(answer.GetCopies()) == 0 {
		_, err := fmt.Fprintln(std.out, "it is not stored")
		return err
	}
	rows := output.NewRows(std.out, output.Width(std.out))
	for _, stored := range answer.GetCopies() {
		if err := rows.Add(stored.ProtoReflect()); err != nil {
			return err
		}
	}
	return rows.Close()
}

type cachePurgeCommand struct {
	operatorFlags
	RPC     string `name:"rpc" complete:"read" xor:"what" required:"" placeholder:"SERVICE/METHOD" help:"Remove the answers of one read."`
	Project string `xor:"what" required:"" placeholder:"ID" help:"Remove the answers to requests that name a project. Lists of the whole organization stay, which may hold it too."`
	All     bool   `xor:"what" required:"" help:"Remove all of them."`
	Yes     bool   `short:"y" help:"Do not ask."`
}

// Help says what no flag does.
func (*cachePurgeCommand) Help() string { return callExits }

// Run removes what the flags say, after a question where somebody can answer it.
func (c *cachePurgeCommand) Run(ctx context.Context, std streams) error {
	request, what := new(controlv1.PurgeRequest), "all stored answers"
	switch {
	case c.RPC != "":
		method, err := findRead(c.RPC)
		if err != nil {
			return err
		}
		request.What = &controlv1.PurgeRequest_Method{Method: method.Name()}
		what = "the stored answers of " + method.ShortName()
	case c.Project != "":
		request.What = &controlv1.PurgeRequest_ProjectId{ProjectId: c.Project}
		what = "the stored answers about the project " + output.Printable(c.Project)
	default:
		request.What = &controlv1.PurgeRequest_All{All: true}
	}
	if err := confirm(std, c.Yes, "Remove "+what+" from every replica? The next reads spend the budget of the upstream."); err != nil {
		return err
	}
	service, end, err := c.cache()
	if err != nil {
		return err
	}
	defer end()
	answer, err := service.Purge(ctx, request)
	if err != nil {
		return callFailed(ctx, err)
	}
	if c.Format != output.Text {
		return output.Whole(std.out, c.Format, answer)
	}
	where := "from every replica"
	if !answer.GetShared() {
		where = "from this replica; the others follow when the shared store can be reached again"
	}
	_, err = fmt.Fprintf(std.out, "removed %s %s\n", what, where)
	return err
}

// errNotConfirmed makes the exit code 1 when somebody said no.
var errNotConfirmed = errors.New("not confirmed; nothing was done")

// confirm asks whoever is at the terminal, unless that is not wanted. Without a terminal
// there is nobody to ask, and the command line is the word.
func confirm(std streams, yes bool, question string) error {
	if yes || !output.Terminal(os.Stdin) {
		return nil
	}
	if _, err := fmt.Fprintf(std.err, "%s [y/N] ", question); err != nil {
		return err
	}
	line, err := bufio.NewReader(os.Stdin).ReadString('\n')
	if answer := strings.ToLower(strings.TrimSpace(line)); err != nil || answer != "y" && answer != "yes" {
		return errNotConfirmed
	}
	return nil
}
