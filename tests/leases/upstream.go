//go:build unix

package leases

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"time"

	"github.com/admin-gateway/admin-gateway/internal/processtest"
	"github.com/admin-gateway/admin-gateway/sandbox"
)

// AdminKey is the key that the upstream takes.
const AdminKey = "sk-admin-leases"

// Upstream is a sandbox with a door for each gateway, so that it is known whose call has
// come to a point.
type Upstream struct {
	*sandbox.Sandbox

	Project string
	Journal *Journal
	trap    *trap
	servers []*http.Server
	base    context.Context // ends with the upstream
	cancel  context.CancelFunc
	all     sync.WaitGroup
}

// NewUpstream makes an organization with a project of its own. Close it.
func NewUpstream(ctx context.Context, t *trap, options sandbox.Options) (*Upstream, error) {
	options.AdminKey, options.Projects = AdminKey, 1
	u := &Upstream{Sandbox: sandbox.New(options), trap: t}
	request := httptest.NewRequestWithContext(ctx, http.MethodPost, "/v1/organization/projects", strings.NewReader(`{"name": "leases"}`))
	request.Header.Set("Authorization", "Bearer "+AdminKey)
	answer := httptest.NewRecorder()
	u.Sandbox.ServeHTTP(answer, request)
	var project struct{ ID string }
	if err := json.Unmarshal(answer.Body.Bytes(), &project); err != nil || project.ID == "" {
		return nil, fmt.Errorf("no project: %d %s", answer.Code, answer.Body)
	}
	u.Project, u.Journal = project.ID, NewJournal(u.Sandbox, project.ID)
	u.base, u.cancel = context.WithCancel(context.WithoutCancel(ctx))
	return u, nil
}

// Door opens the next door, and returns its URL.
func (u *Upstream) Door(ctx context.Context) (string, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	door := len(u.servers)
	server := &http.Server{
		Handler:           http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { u.serve(door, w, r) }),
		ReadHeaderTimeout: processtest.Patience,
	}
	u.servers = append(u.servers, server)
	u.all.Go(func() { _ = server.Serve(listener) }) // Ends with Close.
	return "http://" + listener.Addr().String() + "/v1", nil
}

// Close ends it.
func (u *Upstream) Close() error {
	u.cancel()
	var errs []error
	for _, server := range u.servers {
		errs = append(errs, server.Close())
	}
	u.all.Wait()
	return errors.Join(errs...)
}

func (u *Upstream) serve(door int, w http.ResponseWriter, r *http.Request) {
	s := u.trap.meets(operation(r), Arrived, Done, Answered)
	defer u.Journal.Look() // Also after an answer that is lost.
	if s == nil {
		u.Sandbox.ServeHTTP(w, r)
		return
	}
	switch s.Phase {
	case Arrived:
		s.fire(u.base, door)
		panic(http.ErrAbortHandler)
	case Done:
		u.without(r)
		s.fire(u.base, door)
		panic(http.ErrAbortHandler)
	default:
		// The answer leaves when this returns, and the shot comes after it.
		u.all.Go(func() { s.fire(u.base, door) })
		u.Sandbox.ServeHTTP(w, r)
	}
}

// without does a call whose answer nobody hears.
func (u *Upstream) without(r *http.Request) {
	defer func() { _ = recover() }() // A fault that cuts the connection: there is none.
	u.Sandbox.ServeHTTP(httptest.NewRecorder(), r)
}

// operation is the operation of the sandbox that a request is for; empty for one that
// leases are not made with.
func operation(r *http.Request) string {
	rest, ok := strings.CutPrefix(r.URL.Path, "/v1/organization/projects/")
	if !ok {
		return ""
	}
	parts := strings.Split(rest, "/")
	const base = " /organization/projects/{project_id}"
	switch {
	case len(parts) == 2:
		return r.Method + base + "/" + parts[1]
	case len(parts) == 3 && parts[1] == "api_keys":
		return r.Method + base + "/api_keys/{api_key_id}"
	case len(parts) == 3 && parts[1] == "service_accounts":
		return r.Method + base + "/service_accounts/{service_account_id}"
	case len(parts) == 4 && parts[3] == "api_keys":
		return r.Method + base + "/service_accounts/{service_account_id}/api_keys"
	default:
		return ""
	}
}

// longestDelay is how late the upstream may do what it is asked for: a key that is made
// late also ends late.
const longestDelay = time.Second

// Weather makes single calls fail until ctx ends: answers that are lost or cut, calls that
// do not arrive, that are late, or refused.
func (u *Upstream) Weather(ctx context.Context, r *rand.Rand) {
	var removes []func()
	defer func() {
		for _, remove := range removes {
			remove()
		}
	}()
	for processtest.Pause(ctx, time.Duration(r.Int64N(int64(600*time.Millisecond)))) == nil {
		fault := sandbox.Fault{Op: draw(r, upstreamCalls()), Times: 1}
		switch r.IntN(9) {
		case 0, 1, 2:
			fault.Kind = sandbox.Lost
		case 3, 4:
			fault.Kind = sandbox.Cut
		case 5:
			fault.Kind = sandbox.Drop
		case 6:
			fault.Kind, fault.DelayMS = sandbox.Delay, 1+r.IntN(int(longestDelay/time.Millisecond))
		case 7:
			fault.Kind, fault.Status = sandbox.Refuse, http.StatusServiceUnavailable
		default:
			fault.Kind, fault.RetryAfter = sandbox.RateLimit, 1
		}
		removes = append(removes, u.Inject(fault))
		if len(removes) > 20 { // The oldest have happened, or nobody makes their calls.
			removes[0]()
			removes = removes[1:]
		}
	}
}
