package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// cachedEvery is the time between two cached reads: half of what the limits of a
	// caller allow who has none in the policy.
	cachedEvery = 40 * time.Millisecond
	// patience is how long the caller waits for an answer.
	patience = 30 * time.Second
)

// caller is the third one, whose reads are measured.
type caller struct {
	at     target
	client *http.Client
	// asked counts the uncached reads, each of which is about something else.
	asked atomic.Int64
}

func newCaller(at target) *caller {
	return &caller{at: at, client: &http.Client{Transport: &http.Transport{}, Timeout: patience}}
}

// stored are reads whose answers the cache has, and that no write in the project of the
// hostile caller makes stale.
func stored() []string {
	return []string{"/organization/projects?limit=20", "/organization/projects?limit=100", "/organization/groups?limit=20"}
}

// uncachedWorkers is how many workers make uncached reads.
const uncachedWorkers = 3

// unknown are the endpoints from which a worker reads in turn, two for each. It asks for
// things that are not there, which no cache has. The hostile caller reads from them too.
func unknown(worker int) []string {
	paths := []string{
		"/organization/users/user_%d", "/organization/projects/proj_%d", "/organization/invites/invite_%d", "/organization/admin_api_keys/key_%d",
		"/organization/groups/group_%d", "/organization/certificates/cert_%d",
	}
	return paths[2*worker : 2*worker+2]
}

// measure makes both kinds of reads for a time.
func (c *caller) measure(ctx context.Context, d time.Duration) (measured, error) {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	var (
		m     measured
		mu    sync.Mutex
		reads sync.WaitGroup
		count atomic.Int64
	)
	m.lasted = d
	for worker := range uncachedWorkers {
		reads.Go(func() { c.uncached(ctx, unknown(worker), &m, &mu) })
	}
	tick := time.NewTicker(cachedEvery)
	defer tick.Stop()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-tick.C:
			// A late answer does not keep the next read from being made in time.
			reads.Go(func() {
				paths := stored()
				begun := time.Now()
				answer, err := c.get(ctx, paths[int(count.Add(1))%len(paths)])
				took := time.Since(begun)
				mu.Lock()
				defer mu.Unlock()
				switch {
				case ctx.Err() != nil:
				case err != nil || answer.status != http.StatusOK:
					m.failed++
				default:
					m.cached = append(m.cached, took)
					if !answer.hit {
						m.missed++
					}
				}
			})
		}
	}
	reads.Wait()
	if m.failed > 0 && len(m.cached) == 0 {
		return m, fmt.Errorf("none of %d reads was answered", m.failed)
	}
	return m, nil
}

// uncached makes uncached reads until ctx ends. Each is tried until it is answered.
func (c *caller) uncached(ctx context.Context, paths []string, m *measured, mu *sync.Mutex) {
	for i := 0; ctx.Err() == nil; i++ {
		path := fmt.Sprintf(paths[i%len(paths)], c.asked.Add(1))
		begun := time.Now()
		for ctx.Err() == nil {
			answer, err := c.get(ctx, path)
			took := time.Since(begun)
			if ctx.Err() != nil {
				return
			}
			answered := err == nil && answer.status != http.StatusTooManyRequests && answer.status < http.StatusInternalServerError
			mu.Lock()
			if answered {
				m.uncached = append(m.uncached, took)
			} else {
				m.refused++
			}
			mu.Unlock()
			if answered {
				break
			}
			wait(ctx, max(answer.retryAfter, time.Second))
		}
	}
}

type answer struct {
	status     int
	hit        bool
	retryAfter time.Duration
}

func (c *caller) get(ctx context.Context, path string) (answer, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+c.at.Listen+"/v1"+path, http.NoBody)
	if err != nil {
		return answer{}, err
	}
	request.Header.Set("Authorization", "Bearer "+c.at.Token)
	response, err := c.client.Do(request)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = response.Body.Close() }()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return answer{}, err
	}
	seconds, _ := strconv.Atoi(response.Header.Get("Retry-After"))
	return answer{
		status: response.StatusCode, hit: strings.Contains(response.Header.Get("Cache-Status"), "; hit"),
		retryAfter: time.Duration(seconds) * time.Second,
	}, nil
}

// wait waits for a time, or until ctx ends.
func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
