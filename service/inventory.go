package service

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// inventoryColumns head every form of the inventory.
const inventoryColumns = "RPC\tVERB\tPATH\tPERMISSION\tSCOPE\tCACHE\tSTALE\tBUDGET\tINVALIDATES"

// ErrInventoryFormat is the error of [Catalog.WriteInventory] for a format that
// it does not know.
var ErrInventoryFormat = errors.New("format must be table, tsv or json")

// inventoryEntry is a line of the inventory as JSON.
type inventoryEntry struct {
	RPC         string   `json:"rpc"`
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

// WriteInventory writes a line for every RPC: name, verb, path, permission,
// the request's field that names its projects or "organization", cache life, how
// long a stale answer may be used, the budget that it spends ("first" where it takes
// access away), and what it invalidates, where "$" behind a
// path leaves what lies below it alone. RPCs that the gateway answers itself have
// neither verb nor path. The format is "table" (aligned for reading), "tsv", or "json",
// which also names the writes that make a read stale.
func (c *Catalog) WriteInventory(w io.Writer, format string) error {
	switch format {
	case "table":
		t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		if err := c.writeRows(t); err != nil {
			return err
		}
		return t.Flush()
	case "tsv":
		return c.writeRows(w)
	case "json":
		entries := make([]inventoryEntry, 0, len(c.methods)+len(c.own))
		for _, m := range c.methods {
			entries = append(entries, m.inventoryEntry())
		}
		for _, m := range c.own {
			entries = append(entries, m.inventoryEntry())
		}
		encoder := json.NewEncoder(w)
		encoder.SetEscapeHTML(false)
		encoder.SetIndent("", "  ")
		return encoder.Encode(entries)
	default:
		return ErrInventoryFormat
	}
}

func (c *Catalog) writeRows(w io.Writer) error {
	if _, err := fmt.Fprintln(w, inventoryColumns); err != nil {
		return err
	}
	for _, m := range c.methods {
		e := m.inventoryEntry()
		if _, err := fmt.Fprintln(w, strings.Join([]string{
			e.RPC, e.Verb, e.Path, e.Permission, e.Scope, m.cacheColumn(), cmp.Or(e.Stale, "-"), m.budgetColumn(), m.invalidatesColumn(),
		}, "\t")); err != nil {
			return err
		}
	}
	for _, m := range c.own {
		e := m.inventoryEntry()
		if _, err := fmt.Fprintln(w, strings.Join([]string{e.RPC, "-", "-", e.Permission, e.Scope, "-", "-", "-", "-"}, "\t")); err != nil {
			return err
		}
	}
	return nil
}

func (m *OwnMethod) inventoryEntry() inventoryEntry {
	scope := cmp.Or(m.Project, "organization")
	if m.EachCall {
		scope = "each call"
	}
	return inventoryEntry{RPC: m.Name(), Permission: m.Permission, Scope: scope}
}

func (m *Method) inventoryEntry() inventoryEntry {
	e := inventoryEntry{
		RPC:        m.Name(),
		Verb:       m.Endpoint.Verb(),
		Path:       m.Endpoint.Template(),
		Permission: m.Permission,
		Scope:      cmp.Or(m.Project, "organization"),
		Secret:     m.Secret,
		Budget:     m.budgetColumn(),
	}
	if m.Life.Fresh > 0 {
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
	case !m.Read:
		return "-"
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
	if m.Read {
		return "-"
	}
	if len(m.Invalidates) == 0 {
		return "nothing"
	}
	return strings.Join(m.inventoryEntry().Invalidates, " ")
}
