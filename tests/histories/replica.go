//go:build unix

package histories

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// Replica is one gateway. It may be killed and started again: then it is another
// one, which has promised nothing yet.
type Replica struct {
	number int
	binary string
	config string // path of its file
	token  string
	Proxy  *Proxy

	mu      sync.Mutex
	process *process
	life    int
	url     string
	ops     string
	client  *http.Client
}

// Name tells replicas and their lives apart.
func (r *Replica) Name() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return fmt.Sprintf("r%d.%d", r.number, r.life)
}

// Start starts the gateway and waits until it serves.
func (r *Replica) Start(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	folder := filepath.Dir(r.config)
	p, err := start(fmt.Sprintf("gateway %d", r.number), filepath.Join(folder, "gateway.log"), r.binary, "serve", "--config", r.config)
	if err != nil {
		return err
	}
	r.process = p
	text, err := p.line(ctx, `"msg":"serving"`)
	if err != nil {
		return err
	}
	var serving struct {
		Listen    string `json:"listen"`
		OpsListen string `json:"ops_listen"`
	}
	if err := json.Unmarshal([]byte(text), &serving); err != nil {
		return fmt.Errorf("the log line %q: %w", text, err)
	}
	r.life++
	r.url, r.ops = "http://"+serving.Listen, "http://"+serving.OpsListen
	r.client = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64, IdleConnTimeout: patience}}
	return nil
}

// Pause halts the gateway; its connections stay.
func (r *Replica) Pause() error { return r.signal(syscall.SIGSTOP) }

// Resume ends a Pause.
func (r *Replica) Resume() error { return r.signal(syscall.SIGCONT) }

// Kill ends the gateway at once.
func (r *Replica) Kill() error {
	p := r.running()
	if p == nil {
		return nil
	}
	r.closeIdle()
	return p.kill()
}

// Terminate asks the gateway to end, and does not wait.
func (r *Replica) Terminate() error { return r.signal(syscall.SIGTERM) }

// Ended waits for the end after Terminate.
func (r *Replica) Ended(limit time.Duration) error {
	defer r.closeIdle()
	return r.running().wait(limit)
}

func (r *Replica) signal(s syscall.Signal) error {
	p := r.running()
	if p == nil {
		return errors.New("the gateway was never started")
	}
	return p.signal(s)
}

func (r *Replica) running() *process {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.process
}

func (r *Replica) closeIdle() {
	_, client := r.at()
	if client != nil {
		client.CloseIdleConnections()
	}
}

// at is where callers call.
func (r *Replica) at() (url string, client *http.Client) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.url, r.client
}

// opsPage reads a page of the operators' port.
func (r *Replica) opsPage(ctx context.Context, path string) (string, error) {
	r.mu.Lock()
	url, client := r.ops+path, r.client
	r.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return "", err
	}
	response, err := client.Do(request)
	if err != nil {
		return "", err
	}
	defer func() { _ = response.Body.Close() }()
	page, err := io.ReadAll(io.LimitReader(response.Body, 4<<20))
	return string(page), err
}
