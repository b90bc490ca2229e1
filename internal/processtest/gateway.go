//go:build unix

package processtest

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

// Gateway is one gateway. It may be killed and started again: then it is another
// one, which has promised nothing yet.
type Gateway struct {
	// Number tells it from others, Binary is the path of the program, and Config that of
	// its file, in a folder of its own, which gets the log.
	Number         int
	Binary, Config string

	mu      sync.Mutex
	process *Process
	life    int
	url     string
	ops     string
	vault   string
	client  *http.Client
}

// Name tells gateways and their lives apart.
func (g *Gateway) Name() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return fmt.Sprintf("r%d.%d", g.Number, g.life)
}

// Start starts the gateway and waits until it serves.
func (g *Gateway) Start(ctx context.Context) error {
	folder := filepath.Dir(g.Config)
	p, err := Start(fmt.Sprintf("gateway %d", g.Number), filepath.Join(folder, "gateway.log"), g.Binary, "serve", "--config", g.Config)
	if err != nil {
		return err
	}
	g.mu.Lock()
	g.process = p
	g.mu.Unlock()
	text, err := p.Line(ctx, `"msg":"serving"`)
	if err != nil {
		return err
	}
	var serving struct {
		Listen    string `json:"listen"`
		OpsListen string `json:"ops_listen"`
		Vault     string `json:"vault_listen"`
	}
	if err := json.Unmarshal([]byte(text), &serving); err != nil {
		return fmt.Errorf("the log line %q: %w", text, err)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.life++
	g.url, g.ops, g.vault = "http://"+serving.Listen, "http://"+serving.OpsListen, "http://"+serving.Vault
	g.client = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64, IdleConnTimeout: Patience}}
	return nil
}

// Pause halts the gateway; its connections stay.
func (g *Gateway) Pause() error { return g.signal(syscall.SIGSTOP) }

// Resume ends a Pause.
func (g *Gateway) Resume() error { return g.signal(syscall.SIGCONT) }

// Kill ends the gateway at once. It is no error if it was never started.
func (g *Gateway) Kill() error {
	p := g.running()
	if p == nil {
		return nil
	}
	g.closeIdle()
	return p.Kill()
}

// Terminate asks the gateway to end, and does not wait.
func (g *Gateway) Terminate() error { return g.signal(syscall.SIGTERM) }

// Ended waits for the end after Terminate.
func (g *Gateway) Ended(limit time.Duration) error {
	defer g.closeIdle()
	return g.running().Wait(limit)
}

// Stop ends the gateway and waits for its end: one that does not end in time is killed,
// which is an error. It is none if it was never started.
func (g *Gateway) Stop() error {
	if g.running() == nil {
		return nil
	}
	err := g.Terminate()
	if ended := g.Ended(Patience); ended != nil {
		return errors.Join(err, ended, g.Kill())
	}
	return err
}

func (g *Gateway) signal(s syscall.Signal) error {
	p := g.running()
	if p == nil {
		return errors.New("the gateway was never started")
	}
	return p.Signal(s)
}

func (g *Gateway) running() *Process {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.process
}

func (g *Gateway) closeIdle() {
	_, client := g.At()
	if client != nil {
		client.CloseIdleConnections()
	}
}

// At is where callers call.
func (g *Gateway) At() (url string, client *http.Client) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.url, g.client
}

// VaultURL is where clients of Vault call, if the config has an address for them.
func (g *Gateway) VaultURL() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.vault
}

// OpsPage reads a page of the operators' port.
func (g *Gateway) OpsPage(ctx context.Context, path string) (string, error) {
	g.mu.Lock()
	url, client := g.ops+path, g.client
	g.mu.Unlock()
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
