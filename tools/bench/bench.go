package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/admin-gateway/admin-gateway/tools/bench/figure"
	"github.com/admin-gateway/admin-gateway/tools/bench/report"
	"github.com/admin-gateway/admin-gateway/tools/bench/rows"
)

// Rounds and pieces of a whole run and of a quick one.
const (
	rounds     = 3
	piece      = 1500 * time.Millisecond
	quickPiece = 400 * time.Millisecond
	trial      = 2000 // Calls.
)

// bench is a run of the command: what it measures, and where the result goes.
type bench struct {
	binary string
	quick  bool
	only   []string
	// result, page and from are files; empty: none.
	result, page, from string
}

func (b bench) run(ctx context.Context, out, progress io.Writer) error {
	result, err := b.measured(ctx, progress)
	if err != nil {
		return err
	}
	if b.result != "" {
		text, err := json.MarshalIndent(result, "", "\t")
		if err != nil {
			return err
		}
		if err := os.WriteFile(b.result, append(text, '\n'), 0o600); err != nil {
			return err
		}
	}
	if len(result.Rows) == 0 && len(result.Plots) == 0 {
		return errors.New("no row could be measured")
	}
	if b.page != "" {
		if err := writePage(result, b.page); err != nil {
			return err
		}
	}
	return result.Table(out)
}

// measured is the result of a run, or that of an earlier one.
func (b bench) measured(ctx context.Context, progress io.Writer) (report.Result, error) {
	if b.from != "" {
		text, err := os.ReadFile(b.from)
		if err != nil {
			return report.Result{}, err
		}
		var result report.Result
		return result, json.Unmarshal(text, &result)
	}
	self, err := os.Executable()
	if err != nil {
		return report.Result{}, err
	}
	binary, err := filepath.Abs(b.binary)
	if err != nil {
		return report.Result{}, err
	}
	o := rows.Options{Gateway: binary, Self: self, Rounds: rounds, Piece: piece, Trial: trial, Quick: b.quick, Only: b.only, Progress: progress}
	if b.quick {
		o.Piece = quickPiece
	}
	return rows.Run(ctx, o)
}

// writePage writes the page, and the plots into the folder of its name.
func writePage(result report.Result, page string) error {
	previous, err := os.ReadFile(page)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	text, err := result.Page(previous)
	if err != nil {
		return fmt.Errorf("%s: %w", page, err)
	}
	folder := strings.TrimSuffix(page, filepath.Ext(page))
	if err := os.MkdirAll(folder, 0o755); err != nil { //nolint:gosec // A folder of the documentation.
		return err
	}
	for _, p := range result.Plots {
		drawn, err := figure.SVG(p)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(folder, p.Name+".svg"), drawn, 0o644); err != nil { //nolint:gosec // As above.
			return err
		}
	}
	return os.WriteFile(page, text, 0o644) //nolint:gosec // As above.
}
