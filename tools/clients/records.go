package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"strings"
	"time"
)

// records are those that the gateway writes into a file.
type records struct{ file string }

// end is where the next record will begin.
func (r *records) end() int64 {
	info, err := os.Stat(r.file)
	if err != nil {
		return 0
	}
	return info.Size()
}

// check waits for a record of a method behind an offset that has what is wanted: the
// gateway writes them in batches, and there is one for each attempt of a client, in any
// order. It returns what is wrong with the last one when none has.
func (r *records) check(ctx context.Context, offset int64, method string, want map[string]any) problems {
	ctx, cancel := context.WithTimeout(ctx, recordPatience)
	defer cancel()
	for {
		found, err := r.find(offset, method)
		if err != nil {
			return problems{err.Error()}
		}
		p := problems{"there is no record of " + method}
		for _, record := range found {
			p = nil
			if p.subset("record", anything(want), anything(record)); len(p) == 0 {
				return nil
			}
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return p
		}
	}
}

// recordPatience is how long a record may take. A wrong one costs a case this much.
const recordPatience = 15 * time.Second

func (r *records) find(offset int64, method string) ([]map[string]any, error) {
	file, err := os.Open(r.file)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	if _, err := file.Seek(offset, io.SeekStart); err != nil {
		return nil, err
	}
	var found []map[string]any
	lines := bufio.NewReader(file)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return found, nil // What is not a whole line yet is read the next time.
		}
		var record map[string]any
		if err := json.Unmarshal(bytes.TrimSpace(line), &record); err != nil {
			return nil, err
		}
		if name, _ := record["method"].(string); record["event"] == "call" && strings.HasSuffix(name, method) {
			found = append(found, record)
		}
	}
}

// httpClient is one that trusts the house.
func (h *house) httpClient() (*http.Client, error) {
	authority, err := os.ReadFile(h.file("ca.pem"))
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(authority)
	return &http.Client{Timeout: patience, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}, IdleConnTimeout: time.Second,
	}}, nil
}
