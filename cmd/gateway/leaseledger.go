package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/build"
	"github.com/admin-gateway/admin-gateway/lease"
)

type ledgerCommand struct {
	Export ledgerExportCommand `cmd:"" help:"Write all leases, a line of JSON for each, without secrets."`
	Import ledgerImportCommand `cmd:"" help:"Read an export into a ledger that has no leases."`
	Check  ledgerCheckCommand  `cmd:"" help:"Look whether all that the ledger keeps agrees; exit code 1 when it does not."`
}

// ledgerFlags are the flags of commands that need the ledger of a config.
type ledgerFlags struct {
	Config string `help:"Path of gateway.yaml." placeholder:"FILE" type:"existingfile"`
}

// with calls f with the ledger. Where begin is set, one that is not there is begun.
func (l ledgerFlags) with(ctx context.Context, std streams, begin bool, f func(lease.Ledger) error) (err error) {
	conf, err := openConfig(l.Config, std)
	if err != nil {
		return err
	}
	conf.unknown.Warn(std.err)
	ledger, err := build.OpenLedger(ctx, conf.Config, begin, slog.New(slog.NewTextHandler(std.err, &slog.HandlerOptions{Level: slog.LevelWarn})))
	if errors.Is(err, lease.ErrLocked) {
		return fmt.Errorf("stop the gateway first, it has the ledger: %w", err)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, ledger.Close()) }()
	return f(ledger)
}

type ledgerExportCommand struct{ ledgerFlags }

// Run writes the export to standard output, and how much it is to standard error.
func (c *ledgerExportCommand) Run(ctx context.Context, std streams) error {
	return c.with(ctx, std, false, func(ledger lease.Ledger) error {
		n, err := lease.Export(ctx, ledger, std.out)
		if err != nil {
			return fmt.Errorf("export: %w", err)
		}
		_, err = fmt.Fprintf(std.err, "exported: %d\n", n)
		return err
	})
}

type ledgerImportCommand struct {
	ledgerFlags
	File string `arg:"" placeholder:"FILE" help:"The export." type:"existingfile"`
}

// Run keeps the leases of an export.
func (c *ledgerImportCommand) Run(ctx context.Context, std streams) (err error) {
	var from io.ReadCloser
	if from, err = os.Open(c.File); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, from.Close()) }()
	return c.with(ctx, std, true, func(ledger lease.Ledger) error {
		n, err := lease.Import(ctx, ledger, from)
		if err != nil {
			return fmt.Errorf("import: %d leases were kept: %w", n, err)
		}
		_, err = fmt.Fprintf(std.out, "imported: %d\n", n)
		return err
	})
}

type ledgerCheckCommand struct{ ledgerFlags }

// errDamaged makes the exit code 1 when the ledger does not agree with itself.
var errDamaged = errors.New("the ledger does not agree with itself")

// Run prints what is wrong.
func (c *ledgerCheckCommand) Run(ctx context.Context, std streams) error {
	return c.with(ctx, std, false, func(ledger lease.Ledger) error {
		report, err := ledger.Check(ctx)
		if err != nil {
			return fmt.Errorf("check: %w", err)
		}
		for _, problem := range report.Problems {
			if _, err := fmt.Fprintln(std.out, problem); err != nil {
				return err
			}
		}
		if _, err := fmt.Fprintf(std.out, "leases: %d, problems: %d\n", report.Records, report.Found); err != nil {
			return err
		}
		if report.Found > 0 {
			return errDamaged
		}
		return nil
	})
}
