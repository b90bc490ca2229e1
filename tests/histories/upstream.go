package histories

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/admin-gateway/admin-gateway/internal/processtest"
)

// AdminKey is the key that the upstream takes.
const AdminKey = "sk-admin-histories"

// projectsPath is the path of the registers: each project's name is one.
const projectsPath = "/organization/projects"

// Upstream is the part of the Admin API that the tester needs: projects, whose names
// are registers, empty lists, and deletions that succeed.
type Upstream struct {
	clock  *Clock
	server *http.Server
	url    string
	base   context.Context // ends what is held back
	cancel context.CancelFunc
	all    sync.WaitGroup

	mu      sync.Mutex
	names   map[string]string
	effects map[string][]time.Duration // by value, which each write has its own
	calls   map[string][]time.Duration // by bucket
	plan    func(Call) Plan
	watch   chan struct{} // closed at each arrival
	seen    []Call        // arrivals, for Arrived
	held    int           // effects to come
}

// NewUpstream serves an upstream with registers that have the given values.
func NewUpstream(ctx context.Context, clock *Clock, registers map[string]string) (*Upstream, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	u := &Upstream{
		clock: clock, url: "http://" + listener.Addr().String() + "/v1", names: registers,
		effects: make(map[string][]time.Duration), calls: make(map[string][]time.Duration), watch: make(chan struct{}),
	}
	u.base, u.cancel = context.WithCancel(context.WithoutCancel(ctx))
	u.server = &http.Server{Handler: http.StripPrefix("/v1", u), ReadHeaderTimeout: processtest.Patience}
	u.all.Go(func() { _ = u.server.Serve(listener) }) // Ends with Close.
	return u, nil
}

// Close ends it, and all that it holds back.
func (u *Upstream) Close() error {
	u.cancel()
	err := u.server.Close()
	u.all.Wait()
	return err
}

// SetPlan sets what becomes of each call from now on; nil: it is done at once. plan
// must not call the Upstream.
func (u *Upstream) SetPlan(plan func(Call) Plan) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.plan = plan
}

// Arrived waits for a call that matches, and returns it. It may have arrived before.
func (u *Upstream) Arrived(ctx context.Context, matches func(Call) bool) (Call, error) {
	ctx, cancel := context.WithTimeout(ctx, processtest.Patience)
	defer cancel()
	for {
		u.mu.Lock()
		at, watch := slices.IndexFunc(u.seen, matches), u.watch
		if at >= 0 {
			defer u.mu.Unlock()
			return u.seen[at], nil
		}
		u.mu.Unlock()
		select {
		case <-watch:
		case <-ctx.Done():
			return Call{}, errors.New("a call did not arrive at the upstream")
		}
	}
}

// Effected waits for the effect of the write of value.
func (u *Upstream) Effected(ctx context.Context, value string) (at time.Duration, err error) {
	err = processtest.Until(ctx, 2*processtest.Patience, func(context.Context) error {
		effects := u.Effects(value)
		if len(effects) == 0 {
			return fmt.Errorf("the write of %q has no effect", value)
		}
		at = effects[0]
		return nil
	})
	return at, err
}

// Idle waits until no effect is held back.
func (u *Upstream) Idle(ctx context.Context) error {
	return processtest.Until(ctx, 2*processtest.Patience, func(context.Context) error {
		u.mu.Lock()
		defer u.mu.Unlock()
		if u.held > 0 {
			return fmt.Errorf("%d effects are to come", u.held)
		}
		return nil
	})
}

// Effects returns when the write of value took effect: never, once, or, which should
// not be, more often.
func (u *Upstream) Effects(value string) []time.Duration {
	u.mu.Lock()
	defer u.mu.Unlock()
	return slices.Clone(u.effects[value])
}

// ServeHTTP implements [http.Handler].
func (u *Upstream) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	call, err := readCall(r)
	if err != nil || r.Header.Get("Authorization") != "Bearer "+AdminKey {
		http.Error(w, `{"error": {"message": "refused", "type": "invalid_request_error"}}`, http.StatusBadRequest)
		return
	}
	plan := u.arrive(call)
	done := make(chan any, 1)
	u.all.Go(func() { // The effect comes also when the caller has left.
		defer u.release()
		if plan.Dropped || plan.Effect != nil && plan.Effect(u.base) != nil {
			return
		}
		done <- u.apply(call)
	})
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(u.base, cancel)() //nolint:contextcheck // Close ends what is held back.
	if plan.Answer != nil && plan.Answer(ctx) != nil || plan.Lost {
		panic(http.ErrAbortHandler) // cuts the connection
	}
	select {
	case answer := <-done:
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(answer) //nolint:errchkjson // The caller may have left.
	case <-ctx.Done():
		panic(http.ErrAbortHandler)
	}
}

func readCall(r *http.Request) (Call, error) {
	call := Call{Method: r.Method, Path: r.URL.Path}
	if register, ok := strings.CutPrefix(r.URL.Path, projectsPath+"/"); ok && !strings.Contains(register, "/") {
		call.Register = register
	}
	if !call.Write() {
		return call, nil
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, 64<<10))
	if err != nil {
		return Call{}, err
	}
	var update struct{ Name string }
	if err := json.Unmarshal(body, &update); err != nil {
		return Call{}, err
	}
	call.Value = update.Name
	return call, nil
}

// arrive notes a call, and returns its plan.
func (u *Upstream) arrive(call Call) Plan {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.held++
	bucket := bucketOf(call)
	u.calls[bucket] = append(u.calls[bucket], u.clock.Now())
	if u.seen = append(u.seen, call); len(u.seen) > 10_000 {
		u.seen = slices.Clone(u.seen[len(u.seen)/2:])
	}
	close(u.watch)
	u.watch = make(chan struct{})
	if u.plan == nil {
		return Plan{}
	}
	return u.plan(call)
}

func (u *Upstream) release() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.held--
}

type list struct {
	Object  string `json:"object"`
	Data    []any  `json:"data"`
	HasMore bool   `json:"has_more"`
}

type project struct {
	Object    string `json:"object"`
	ID        string `json:"id"`
	Name      string `json:"name"`
	CreatedAt int64  `json:"created_at"`
	Status    string `json:"status"`
}

type deletion struct {
	Object  string `json:"object"`
	ID      string `json:"id"`
	Deleted bool   `json:"deleted"`
}

// apply is the effect of a call, and the answer to it.
func (u *Upstream) apply(call Call) any {
	u.mu.Lock()
	defer u.mu.Unlock()
	switch {
	case call.Method == http.MethodDelete:
		return deletion{Object: "deleted", ID: call.Path[strings.LastIndex(call.Path, "/")+1:], Deleted: true}
	case call.Write():
		u.effects[call.Value] = append(u.effects[call.Value], u.clock.Now())
		u.names[call.Register] = call.Value
		return u.projectLocked(call.Register)
	case call.Register != "":
		return u.projectLocked(call.Register)
	}
	answer := list{Object: "list", Data: []any{}}
	if call.Path == projectsPath {
		for id := range u.names {
			answer.Data = append(answer.Data, u.projectLocked(id))
		}
	}
	return answer
}

func (u *Upstream) projectLocked(id string) project {
	return project{Object: "organization.project", ID: id, Name: u.names[id], CreatedAt: 1_700_000_000, Status: "active"}
}
