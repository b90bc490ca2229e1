package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
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

// last waits for the record of a method behind an offset, and returns the last one.
func (r *records) last(ctx context.Context, offset int64, method string) (map[string]any, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		found, err := r.find(offset, method)
		if err != nil || found != nil {
			return found, err
		}
		select {
		case <-time.After(20 * time.Millisecond): // The gateway writes records in batches.
		case <-ctx.Done():
			return nil, errors.New("there is no record of " + method)
		}
	}
}

func (r *records) find(offset int64, method string) (map[string]any, error) {
	file, err := os.Open(r.file)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	if _, err := file.Seek(offset, io.SeekStart); err != nil {
		return nil, err
	}
	var last map[string]any
	lines := bufio.NewReader(file)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return last, nil // What is not a whole line yet is read the next time.
		}
		var record map[string]any
		if err := json.Unmarshal(bytes.TrimSpace(line), &record); err != nil {
			return nil, err
		}
		if name, _ := record["method"].(string); record["event"] == "call" && strings.HasSuffix(name, method) {
			last = record
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
