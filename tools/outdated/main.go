// Command outdated lists the modules of which there is a newer version, for each go.mod
// given, those first of which an old version can be a hole. It is for reading: whatever
// it finds, and whether the proxy can be reached or not, it succeeds.
package main

import (
	"context"
	_ "embed"
	"flag"
	"fmt"
	"io"
	"os"
	"time"
)

//go:embed security.tsv
var securityTable string

func main() {
	if err := run(context.Background(), os.Args[1:], os.Stdout); err != nil {
		_, _ = fmt.Fprintln(os.Stderr, "outdated:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("outdated", flag.ContinueOnError)
	limit := flags.Duration("limit", time.Minute, "the time for all of it")
	if err := flags.Parse(args); err != nil {
		return err
	}
	rules, err := parseRules(securityTable)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, *limit)
	defer cancel()
	found := make(map[update][]string) // Where each is required.
	for _, folder := range flags.Args() {
		updates, unknown, err := updatesOf(ctx, folder)
		if err != nil {
			_, _ = fmt.Fprintf(out, "%s: not known: %v\n", folder, err)
			continue
		}
		if len(unknown) > 0 {
			_, _ = fmt.Fprintf(out, "%s: not known: %d modules, such as %s\n", folder, len(unknown), unknown[0])
		}
		for _, u := range updates {
			found[u] = append(found[u], folder)
		}
	}
	return report(out, found, rules)
}
