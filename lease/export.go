package lease

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// exportFormat names the form of an export, exportVersion its version.
const (
	exportFormat  = "admin-gateway lease ledger"
	exportVersion = 1
	// maxExportLine is the length of the longest line of an export.
	maxExportLine = 64 << 10
)

// ErrNotExport is the error of an import of something that is no export of a ledger,
// or not all of one.
var ErrNotExport = errors.New("lease: this is no complete export of a ledger")

// exportLine is a line of an export: the first has Format, Version and Epoch, the last
// has End, and those between them have a Record.
type exportLine struct {
	Format  string  `json:"format,omitempty"`
	Version int     `json:"version,omitempty"`
	Epoch   string  `json:"epoch,omitempty"`
	Record  *Record `json:"record,omitempty"`
	End     bool    `json:"end,omitempty"`
	Records int     `json:"records,omitempty"`
}

// Export writes the records of a ledger to w, a line of JSON for each, without their
// secrets, and returns how many. Leases that change meanwhile are as they were before
// or after; the leases of a ledger that is not in use are all there, as they are.
func Export(ctx context.Context, from Ledger, w io.Writer) (int, error) {
	info, err := from.Info(ctx)
	if err != nil {
		return 0, err
	}
	out := bufio.NewWriter(w)
	lines := json.NewEncoder(out)
	if err := lines.Encode(exportLine{Format: exportFormat, Version: exportVersion, Epoch: info.Epoch}); err != nil {
		return 0, err
	}
	n := 0
	for query := (Query{PageSize: MaxPage}); ; {
		page, err := from.List(ctx, query)
		if err != nil {
			return n, err
		}
		for i := range page.Records {
			if err := lines.Encode(exportLine{Record: &page.Records[i]}); err != nil {
				return n, err
			}
			n++
		}
		if query.PageToken = page.NextPageToken; query.PageToken == "" {
			break
		}
	}
	return n, errors.Join(lines.Encode(exportLine{End: true, Records: n}), out.Flush())
}

// Import reads an export into a ledger that has no leases, and returns how many it
// has kept. Each lease keeps its version; claims, events and secrets are not in an
// export. If it fails, the ledger may have some of the leases.
func Import(ctx context.Context, to Ledger, r io.Reader) (int, error) {
	counts, err := to.Counts(ctx)
	if err != nil {
		return 0, err
	}
	if len(counts) > 0 {
		return 0, fmt.Errorf("%w: the ledger has leases", ErrConflict)
	}
	in := bufio.NewScanner(r)
	in.Buffer(nil, maxExportLine)
	var batch []Record
	n, begun := 0, false
	for in.Scan() {
		var line exportLine
		if err := json.Unmarshal(in.Bytes(), &line); err != nil {
			return n, fmt.Errorf("%w: line %d cannot be read", ErrNotExport, n+len(batch)+2)
		}
		switch {
		case !begun && (line.Format != exportFormat || line.Version != exportVersion):
			return n, fmt.Errorf("%w: it has another form", ErrNotExport)
		case !begun:
			begun = true
		case line.End:
			if err := to.Import(ctx, batch); err != nil {
				return n, err
			}
			if n += len(batch); n != line.Records {
				return n, fmt.Errorf("%w: it has %d leases, and not %d", ErrNotExport, n, line.Records)
			}
			return n, nil
		case line.Record == nil:
			return n, fmt.Errorf("%w: line %d has no record", ErrNotExport, n+len(batch)+2)
		default:
			if batch = append(batch, *line.Record); len(batch) == MaxBatch {
				if err := to.Import(ctx, batch); err != nil {
					return n, err
				}
				n += len(batch)
				batch = batch[:0]
			}
		}
	}
	return n, errors.Join(fmt.Errorf("%w: it ends too early", ErrNotExport), in.Err())
}
