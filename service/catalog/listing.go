package catalog

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// listingColumns head every form of the listing.
const listingColumns = "RPC\tVERB\tPATH\tPERMISSION\tSCOPE\tCACHE\tSTALE\tBUDGET\tINVALIDATES"

// ErrListingFormat is the error of [Catalog.WriteListing] for a format that
// it does not know.
var ErrListingFormat = errors.New("format must be table, tsv or json")

// listingEntry is a line of the listing as JSON.
type listingEntry struct {
	Procedure   string   `json:"procedure"`
	Verb        string   `json:"verb,omitempty"`
	Path        string   `json:"path,omitempty"`
	Permission  string   `json:"permission"`
	Scope       string   `json:"scope"`
	Cache       string   `json:"cache,omitempty"`
	Stale       string   `json:"stale,omitempty"`
	Budget      string   `json:"budget,omitempty"`
	Invalidates []string `json:"invalidates,omitempty"`
	StaleBy     []string `json:"stale_by,omitempty"`
	Secret      bool     `json:"secret,omitempty"`
}

// WriteListing writes a line for every RPC: name, verb, path, permission, the
// request's field that names its projects, role or lease, or "organization", cache life, how long a
// stale answer may be used, the budget that it spends ("first" where it takes
// access away), and its invalidations, where "$" behind a path excludes the paths
// below it. RPCs that the gateway answers itself have neither verb nor path. The
// format is "table" (aligned for reading), "tsv", or "json", which also names the
// writes that make a read stale.
func (c *Catalog) WriteListing(w io.Writer, format string) error {
	return c.WriteMatching(w, format, "")
}

// WriteMatching writes the lines of the listing that contain a text, upper and lower case
// being the same. Their heading is always there.
func (c *Catalog) WriteMatching(w io.Writer, format, filter string) error {
	switch format {
	case "table":
		t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		if err := c.writeRows(t, filter); err != nil {
			return err
		}
		return t.Flush()
	case "tsv":
		return c.writeRows(w, filter)
	case "json":
		entries := []listingEntry{}
		for _, m := range c.methods {
			if m.matches(filter) {
				entries = append(entries, m.listingEntry())
			}
		}
		encoder := json.NewEncoder(w)
		encoder.SetEscapeHTML(false)
		encoder.SetIndent("", "  ")
		return encoder.Encode(entries)
	default:
		return ErrListingFormat
	}
}

func (c *Catalog) writeRows(w io.Writer, filter string) error {
	if _, err := fmt.Fprintln(w, listingColumns); err != nil {
		return err
	}
	for _, m := range c.methods {
		if !m.matches(filter) {
			continue
		}
		if _, err := fmt.Fprintln(w, m.row()); err != nil {
			return err
		}
	}
	return nil
}

// row is the line of a method, with tabs between its columns.
func (m *Method) row() string {
	e := m.listingEntry()
	return strings.Join([]string{
		e.Procedure, cmp.Or(e.Verb, none), cmp.Or(e.Path, none), e.Permission, e.Scope, m.cacheColumn(), cmp.Or(e.Stale, none),
		cmp.Or(e.Budget, none), m.invalidatesColumn(),
	}, "\t")
}

func (m *Method) matches(filter string) bool {
	return filter == "" || strings.Contains(strings.ToLower(m.row()), strings.ToLower(filter))
}

// none stands for an empty column.
const none = "-"

func (m *Method) listingEntry() listingEntry {
	e := listingEntry{
		Procedure:  m.Name(),
		Permission: m.Permission,
		Scope:      cmp.Or(m.Project, m.leaseField, "organization"),
		Secret:     m.Secret,
	}
	switch {
	case m.Source == FanOut:
		e.Scope = "each call"
	case m.aboutCaller:
		e.Scope = "caller"
	}
	if m.Source != Upstream {
		return e
	}
	e.Verb, e.Path, e.Budget = m.Endpoint.Verb(), m.Endpoint.Template(), m.budgetColumn()
	if m.Stored() {
		e.Cache, e.Stale = m.cacheColumn(), m.staleColumn()
	}
	for _, invalidation := range m.Invalidates {
		e.Invalidates = append(e.Invalidates, invalidation.String())
	}
	for _, write := range m.staleBy {
		e.StaleBy = append(e.StaleBy, write.Name())
	}
	return e
}

func (m *Method) cacheColumn() string {
	switch {
	case m.Secret:
		return "never: secret"
	case m.Source != Upstream:
		return none
	case !m.Read:
		return none
	case m.Life.Fresh == 0:
		return "never"
	case m.settling != nil:
		return fmt.Sprintf("%s, %s once %s is %s ago", m.Life.Fresh, m.Life.Settled, m.settling.end.Name(), m.settling.after)
	default:
		return m.Life.Fresh.String()
	}
}

func (m *Method) budgetColumn() string {
	if m.Revokes {
		return m.Budget + ", first"
	}
	return m.Budget
}

func (m *Method) staleColumn() string {
	if m.Sensitive {
		return "never: sensitive"
	}
	return fmt.Sprintf("%s, on errors %s", m.Life.WhileRevalidate, m.Life.IfError)
}

func (m *Method) invalidatesColumn() string {
	if m.Read || m.Source != Upstream {
		return none
	}
	if len(m.Invalidates) == 0 {
		return "nothing"
	}
	return strings.Join(m.listingEntry().Invalidates, " ")
}
