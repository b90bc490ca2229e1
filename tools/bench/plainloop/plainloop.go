// Package plainloop is what a program without a gateway does for an inventory: it GETs
// page after page, and decodes what it gets. It imports nothing of the project.
package plainloop

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"syscall"
	"time"
)

const (
	patience = 30 * time.Second
	maxPage  = 32 << 20
)

// page is a page of a list.
type page[T any] struct {
	Data    []T    `json:"data"`
	LastID  string `json:"last_id"`
	HasMore bool   `json:"has_more"`
}

type project struct {
	ID         string `json:"id"`
	Name       string `json:"name"`
	CreatedAt  int64  `json:"created_at"`
	ArchivedAt *int64 `json:"archived_at"`
	Status     string `json:"status"`
}

type apiKey struct {
	ID            string          `json:"id"`
	Name          string          `json:"name"`
	RedactedValue string          `json:"redacted_value"`
	CreatedAt     int64           `json:"created_at"`
	LastUsedAt    *int64          `json:"last_used_at"`
	ExpiresAt     *int64          `json:"expires_at"`
	Owner         json.RawMessage `json:"owner"`
}

// Report is what a loop came to.
type Report struct {
	Reads, Items int
	// Spent is the processor time of this process, and Took the time.
	Spent, Took time.Duration
}

// client reads pages.
type client struct {
	http    *http.Client
	base    string
	key     string
	reports Report
}

// Run reads all API keys of all projects, one page after the other.
func Run(ctx context.Context, base, key string) (Report, error) {
	transport := &http.Transport{DisableCompression: true}
	defer transport.CloseIdleConnections()
	c := &client{http: &http.Client{Transport: transport, Timeout: patience}, base: base, key: key}
	begin, before := time.Now(), spent()
	err := list(ctx, c, "/organization/projects", func(p project) error {
		return list(ctx, c, "/organization/projects/"+url.PathEscape(p.ID)+"/api_keys?owner_project_access=any", func(k apiKey) error {
			if k.ID == "" {
				return errors.New("a key without an id")
			}
			c.reports.Items++
			return nil
		})
	})
	c.reports.Took, c.reports.Spent = time.Since(begin), spent()-before
	return c.reports, err
}

// list reads every page of a list, and gives its items to the function.
func list[T any](ctx context.Context, c *client, path string, each func(T) error) error {
	target, err := url.Parse(c.base + path)
	if err != nil {
		return err
	}
	query := target.Query()
	query.Set("limit", "100")
	for {
		target.RawQuery = query.Encode()
		var p page[T]
		if err := c.get(ctx, target.String(), &p); err != nil {
			return err
		}
		for _, item := range p.Data {
			if err := each(item); err != nil {
				return err
			}
		}
		if !p.HasMore {
			return nil
		}
		query.Set("after", p.LastID)
	}
}

func (c *client) get(ctx context.Context, target string, into any) (err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+c.key)
	response, err := c.http.Do(request)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, response.Body.Close()) }()
	text, err := io.ReadAll(io.LimitReader(response.Body, maxPage))
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: status %d: %.200s", target, response.StatusCode, text)
	}
	c.reports.Reads++
	return json.Unmarshal(text, into)
}

// spent is the processor time that this process has had.
func spent() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0 // It fails for a wrong argument only.
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
