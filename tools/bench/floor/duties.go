package floor

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"
)

const (
	// longestCall is the deadline of a call, as the gateway has it by default.
	longestCall = 2 * time.Minute
	// recordBuffer and recordInterval are when records are written.
	recordBuffer   = 64 << 10
	recordInterval = time.Second
)

var errStranger = errors.New("no caller has this token")

// duties are what a fair floor does beside its answer.
type duties struct {
	callers map[[sha256.Size]byte]string
	started time.Time
	mu      sync.Mutex // Guards records.
	records *bufio.Writer
	file    *os.File
}

// newDuties opens the file of the records. Its owner calls run, which closes it.
func newDuties(o Options) (*duties, error) {
	hash, err := hex.DecodeString(o.TokenHash)
	if err != nil || len(hash) != sha256.Size {
		return nil, errors.New("the token's hash is not a SHA-256 in hex")
	}
	file, err := os.OpenFile(o.Record, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	return &duties{
		callers: map[[sha256.Size]byte]string{[sha256.Size]byte(hash): "load"},
		started: time.Now(),
		records: bufio.NewWriterSize(file, recordBuffer),
		file:    file,
	}, nil
}

// run writes records out until ctx ends, and then the last of them.
func (d *duties) run(ctx context.Context) error {
	ticker := time.NewTicker(recordInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return errors.Join(d.flush(), d.file.Close())
		case <-ticker.C:
			if err := d.flush(); err != nil {
				return errors.Join(err, d.file.Close())
			}
		}
	}
}

func (d *duties) flush() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.records.Flush()
}

// call is a call of a known caller.
type call struct {
	id, caller string
	begin      time.Time
	cancel     context.CancelFunc
}

// begin looks the caller up, and gives the call its id and its deadline.
func (d *duties) begin(ctx context.Context, authorization string) (context.Context, *call, error) {
	token, ok := strings.CutPrefix(authorization, "Bearer ")
	if !ok {
		return ctx, nil, errStranger
	}
	caller, ok := d.callers[sha256.Sum256([]byte(token))]
	if !ok {
		return ctx, nil, errStranger
	}
	var id [16]byte
	_, _ = rand.Read(id[:]) // It never fails.
	c := &call{
		id:     "req_" + base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(id[:]),
		caller: caller,
		begin:  time.Now(),
	}
	ctx, c.cancel = context.WithTimeout(ctx, longestCall)
	return ctx, c, nil
}

// headers are the three that an answer of the gateway has, name before value.
func (d *duties) headers(c *call) [3][2]string {
	age := int(c.begin.Sub(d.started) / time.Second)
	return [3][2]string{
		{"x-request-id", c.id},
		{"cache-status", fmt.Sprintf("admin-gateway; hit; ttl=%d", max(0, 275-age))},
		{"age", fmt.Sprint(age)},
	}
}

// record is a line about a call, with the members that one of a cached read has.
type record struct {
	Time            string `json:"time"`
	Event           string `json:"event"`
	RequestID       string `json:"request_id"`
	Caller          string `json:"caller"`
	AuthenticatedBy string `json:"authenticated_by"`
	Peer            string `json:"peer"`
	Method          string `json:"method"`
	Permission      string `json:"permission"`
	Decision        string `json:"decision"`
	Code            string `json:"code"`
	Cache           string `json:"cache"`
	DurationUS      int64  `json:"duration_us"`
}

// end keeps the record of a call, and releases its deadline.
func (d *duties) end(c *call, peer, method string) error {
	c.cancel()
	line, err := json.Marshal(record{
		Time: c.begin.UTC().Format(time.RFC3339Nano), Event: "call", RequestID: c.id, Caller: c.caller, AuthenticatedBy: "token",
		Peer: peer, Method: method, Permission: "projects.read", Decision: "allowed", Code: "ok", Cache: "hit",
		DurationUS: time.Since(c.begin).Microseconds(),
	})
	if err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, err := d.records.Write(append(line, '\n')); err != nil {
		return err
	}
	return nil
}
