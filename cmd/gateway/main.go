// Command gateway serves the OpenAI Admin API as typed RPCs. Run it without
// arguments for its commands.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log" //nolint:depguard // It is silenced.
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/alecthomas/kong"
	"github.com/redis/go-redis/v9"

	"github.com/admin-gateway/admin-gateway/sandbox"
)

// program is the command line.
type program struct {
	Demo     demoCommand      `cmd:"" help:"Run a fake upstream, the gateway in front of it and sample calls; needs no set-up."`
	Serve    serveCommand     `cmd:"" help:"Serve the Admin API as typed RPCs."`
	Sandbox  sandboxCommand   `cmd:"" help:"Serve the fake upstream alone."`
	Catalog  catalogCommand   `cmd:"" help:"List every RPC: verb, path, permission, scope, cache life, what it invalidates."`
	Check    checkCommand     `cmd:"" help:"Check config and policy; the errors name file, line and column."`
	Can      canCommand       `cmd:"" help:"Tell whether a caller may make a call, which grant says so, and which nearly did."`
	Status   statusCommand    `cmd:"" help:"Show what is live on each replica: build, policy, readiness; exit code 1 unless all of them answer, are ready and have one policy."`
	Top      topCommand       `cmd:"" help:"Show who spends the upstream's budget and who waits for it, in all replicas."`
	Budget   budgetCommand    `cmd:"" help:"Show the upstream's budget: rates, what is left, what waits."`
	Call     callCommand      `cmd:"" help:"Call an RPC of a gateway; walk its pages, follow its stream."`
	Cache    cacheCommand     `cmd:"" help:"The stored answers of a gateway: look at one, or remove some."`
	Audit    auditCommand     `cmd:"" help:"Say why a call was refused, or slow, and who cannot log in; tools for the audit log."`
	Lease    leaseCommand     `cmd:"" help:"Leases, which are keys that end by themselves: get them, keep them, end them; tools for their ledger."`
	Hold     holdCommand      `cmd:"" help:"Hold a caller: nothing it calls is answered, until it is released or for a time."`
	Limit    limitCommand     `cmd:"" help:"Give a caller other limits than the policy's, for a time."`
	AdminKey adminKeyCommand  `cmd:"" help:"The admin key of a gateway: replace it by another one."`
	Token    tokenCommand     `cmd:"" help:"Make tokens for callers."`
	Config   referenceCommand `cmd:"" help:"List every key of gateway.yaml: variable, form, default, meaning."`
	Schema   schemaCommand    `cmd:"" help:"Write the schema for clients: .proto files with all that they import, a descriptor set, OpenAPI of the REST door."`
	Build    versionCommand   `cmd:"" name:"version" help:"Print the build's version and commit."`
	Version  kong.VersionFlag `help:"Print the build's version and commit, and exit."`

	Completion completionCommand `cmd:"" help:"Write the script with which bash, zsh or fish completes commands, flags, RPCs and their fields."`
	Complete   completeCommand   `cmd:"" hidden:"" name:"__complete" help:"Say how a command line goes on, for these scripts."`
}

// streams are the output streams of a command.
type streams struct{ out, err io.Writer }

// hangups has a SIGHUP that has come since the beginning of the process.
type hangups <-chan os.Signal

func main() {
	// net/http logs the bytes of unsolicited responses to the standard logger, and
	// they can contain the admin key. Only the SDK of OpenTelemetry uses that logger
	// too, and our exporters report its failures.
	log.SetOutput(io.Discard)
	// go-redis logs every failed connection. The metrics count them.
	redis.SetLogger(silence{})
	ctx, end := context.WithCancelCause(context.Background())
	last := new(lastLines)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		end(signalled{<-signals})
		// The second signal ends the process at once. The kernel's default action
		// would not end the first process of a container.
		second := <-signals
		last.write()
		os.Exit(killedBy(second))
	}()
	os.Exit(run(withLastLines(ctx, last), os.Args[1:], streams{os.Stdout, os.Stderr}))
}

// signalled is why a command ends that got a signal.
type signalled struct{ os.Signal }

// Error names the signal.
func (s signalled) Error() string { return "signal: " + s.String() }

// killedBy returns the exit code for a signal, as a shell does: 130 or 143.
func killedBy(s os.Signal) int {
	number, _ := s.(syscall.Signal)
	return 128 + int(number)
}

// silence discards the log of go-redis.
type silence struct{}

// Printf implements the logger.
func (silence) Printf(context.Context, string, ...any) {}

// run executes one command and returns the exit code: 0, 1 for a failure, 2 for a wrong
// command line, or the one that an exitError has.
func run(ctx context.Context, args []string, std streams) int {
	// Before anything else: a signal to open files again must not end a process that
	// is only about to open them.
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	var cli program
	exit, exited := 0, false
	parser, err := parserOf(&cli,
		kong.Writers(std.out, std.err),
		kong.Exit(func(code int) { exit, exited = code, true }),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(std, hangups(hangup)),
	)
	if err != nil {
		return report(std, err)
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	command, err := parser.Parse(args)
	if exited { // --help and --version have printed their text.
		return exit
	}
	if err != nil {
		parser.Errorf("%s", err)
		return 2
	}
	if _, serves := command.Selected().Target.Addr().Interface().(*serveCommand); !serves {
		signal.Stop(hangup) // It ends all others, as when their terminal goes away.
		if len(hangup) > 0 {
			return killedBy(syscall.SIGHUP)
		}
	}
	err = command.Run()
	if exit, ok := errors.AsType[*exitError](err); ok {
		if exit.err != nil {
			report(std, exit.err)
		}
		return exit.code
	}
	if err != nil && !errors.Is(err, context.Canceled) {
		return report(std, err)
	}
	return 0
}

// parserOf is the parser of command lines.
func parserOf(cli *program, options ...kong.Option) (*kong.Kong, error) {
	return kong.New(cli, append([]kong.Option{
		kong.Name("gateway"),
		kong.Description("A gateway in front of the OpenAI Admin API."),
		kong.UsageOnError(),
		kong.Vars{"version": version(), "sandbox_key": sandbox.DefaultAdminKey},
		kong.PostBuild(sayExits),
	}, options...)...)
}

func report(std streams, err error) int {
	// There is no other stream for the error.
	_, _ = fmt.Fprintf(std.err, "gateway: %v\n", err)
	return 1
}

// release is the version of a release, which the linker sets (tools/release.sh). It is
// empty in every other build.
var release string //nolint:gochecknoglobals // The linker sets nothing else.

// version returns the version, the commit and the version of Go, as far as the build has
// them. Without a release it is that of the module, which Go takes from a tag.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	v := releaseOf(info)
	if commit := setting(info, "vcs.revision"); commit != "" {
		v += " " + commit
	}
	return v + " " + info.GoVersion
}

// releaseOf is the version alone.
func releaseOf(info *debug.BuildInfo) string {
	if info == nil {
		return cmp.Or(release, "unknown")
	}
	return cmp.Or(release, info.Main.Version, "(devel)")
}

// setting is a setting of the build; "" if it has none of that name.
func setting(info *debug.BuildInfo, name string) string {
	if info == nil {
		return ""
	}
	for _, s := range info.Settings {
		if s.Key == name {
			return s.Value
		}
	}
	return ""
}
