package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		_, _ = fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(1) //nolint:gocritic // The signals end with the process.
	}
}

// errFaults says that some mutants are not as they should be. Which is printed.
var errFaults = errors.New("some mutants are not as they should be")

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("mutants", flag.ContinueOnError)
	root := flags.String("root", "../..", "the folder of the module that is changed")
	patches := flags.String("patches", "patches", "the folder of the mutants")
	only := flags.String("only", "", "run the mutants whose names contain one of these words")
	limit := flags.Duration("limit", 5*time.Minute, "the time for the tests of one mutant in one package")
	if err := flags.Parse(args); err != nil {
		return err
	}
	mutants, err := readMutants(*patches)
	if err != nil {
		return err
	}
	mutants = chosen(mutants, strings.Fields(*only))
	if len(mutants) == 0 {
		return fmt.Errorf("no mutants in %s", filepath.Join(*patches, "*"))
	}
	r := runner{root: *root, bounded: within(*limit), good: make(map[string]bool)}
	results, err := r.all(ctx, mutants, out)
	return errors.Join(err, report(out, results)) // Also when it ended early.
}

func chosen(mutants []mutant, words []string) []mutant {
	if len(words) == 0 {
		return mutants
	}
	var some []mutant
	for _, m := range mutants {
		for _, word := range words {
			if strings.Contains(m.name, word) {
				some = append(some, m)
				break
			}
		}
	}
	return some
}

// all runs the mutants one after another: the tests have the machine for themselves, so
// that a slow one is not mistaken for one that hangs.
func (r runner) all(ctx context.Context, mutants []mutant, out io.Writer) ([]result, error) {
	var results []result
	for _, m := range mutants {
		end, err := r.run(ctx, m)
		if err != nil {
			return results, fmt.Errorf("%s: %w", m.name, err)
		}
		_, _ = fmt.Fprintf(out, "%-14s %s\n", end.verdict, end.name)
		results = append(results, end)
	}
	return results, nil
}

// report prints a table, and what is not as it should be.
func report(out io.Writer, results []result) error {
	_, _ = fmt.Fprintln(out)
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	count := make(map[verdict]int)
	for _, r := range results {
		count[r.verdict]++
		by := r.by
		switch {
		case r.verdict == survived:
			by = r.survives
		case r.verdict == killed && by == "":
			by = "a failure outside of tests"
		}
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", r.name, r.verdict, r.took.Round(100*time.Millisecond), by)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	_, _ = fmt.Fprintf(out, "\n%d mutants: %d killed, %d survived\n", len(results), count[killed]+count[hung], count[survived])
	faulty := false
	for _, r := range results {
		if fault := r.fault(); fault != "" {
			faulty = true
			_, _ = fmt.Fprintf(out, "%s: %s\n", r.name, fault)
		}
	}
	if faulty {
		return errFaults
	}
	return nil
}
