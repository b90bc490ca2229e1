package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"time"
)

const (
	opsPatience = 30 * time.Second
	maxPage     = 32 << 20
)

// ErrNoMetric is the error of a metric that the gateway does not have.
var ErrNoMetric = errors.New("the gateway has no such metric")

// Metric is the value of a metric without labels.
func (g *Gateway) Metric(ctx context.Context, name string) (float64, error) {
	page, err := g.ops(ctx, "/metrics")
	if err != nil {
		return 0, err
	}
	match := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(name) + ` (\S+)$`).FindSubmatch(page)
	if match == nil {
		return 0, fmt.Errorf("%w: %s", ErrNoMetric, name)
	}
	return strconv.ParseFloat(string(match[1]), 64)
}

var heapAlloc = regexp.MustCompile(`(?m)^# HeapAlloc = (\d+)$`)

// LiveHeap is the heap in bytes after a collection.
func (g *Gateway) LiveHeap(ctx context.Context) (int64, error) {
	page, err := g.ops(ctx, "/debug/pprof/heap?gc=1&debug=1")
	if err != nil {
		return 0, err
	}
	match := heapAlloc.FindSubmatch(page)
	if match == nil {
		return 0, fmt.Errorf("%w: HeapAlloc", ErrNoMetric)
	}
	return strconv.ParseInt(string(match[1]), 10, 64)
}

// ops reads a page of the operators' port.
func (g *Gateway) ops(ctx context.Context, path string) (page []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, opsPatience)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+g.Ops+path, nil)
	if err != nil {
		return nil, err
	}
	transport := new(http.Transport)
	defer transport.CloseIdleConnections()
	response, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, response.Body.Close()) }()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s of the operators' port: status %d", path, response.StatusCode)
	}
	return io.ReadAll(io.LimitReader(response.Body, maxPage))
}
