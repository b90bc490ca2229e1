// Package sandbox is the whole OpenAI Admin API in memory: 143 operations over
// one seeded organization, for demonstrations and tests. It owns the server, the
// endpoints, the faults and the budget; the organization is in sandbox/data. Of the
// API that the keys of projects are for it has two operations, by which a key shows
// that it works.
//
// It speaks JSON over HTTP and shares no code with the client that is tested
// against it: it imports nothing of the project but sandbox/data. The demo,
// `gateway sandbox` and tests use it. [Fault] lists the failures that it produces
// on demand; README.md describes the same over HTTP.
package sandbox

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/admin-gateway/admin-gateway/sandbox/data"
)

const (
	// basePath is the prefix of the API's paths.
	basePath = "/v1"
	// DefaultAdminKey is the credential if Options names none.
	DefaultAdminKey = "sk-admin-sandbox"
)

// Options describe the organization: its seed, its sizes, its clock. The zero value
// is usable. A size of 0 means the default, and a negative size means none.
type Options struct {
	// Seed selects the organization. The same seed, sizes and time make the
	// same organization, byte for byte.
	Seed uint64

	Users       int // default 300, at least 1: every organization has an owner
	Projects    int // default 40
	Groups      int // default 12
	Invites     int // default 24
	AuditEvents int // default 1500, at most 20000

	// AdminKey is the credential of the API; default DefaultAdminKey. Admin
	// keys that are created later work as well.
	AdminKey string

	// Now is the organization's clock; default time.Now. It has to be safe for
	// concurrent use. RunsFrom and StandsAt make others.
	Now func() time.Time

	// LongestKeyLife is the longest life that the organization allows a project's
	// API key, in whole seconds; 0 allows any life, and keys that never expire.
	LongestKeyLife time.Duration
	// ProjectKeyLives are the same for single projects, by their ids. A key has to
	// keep to both.
	ProjectKeyLives map[string]time.Duration

	// IgnoreKeyLives takes the life that a request gives a key, and makes a key that
	// never expires: for the test of a test that relies on the expiry.
	IgnoreKeyLives bool

	// CostsAsNumbers sends amounts as JSON numbers, as the documentation says.
	// The API sends strings.
	CostsAsNumbers bool

	// Budget limits requests as the API does. The zero value does not limit them.
	Budget Budget
}

func (o Options) withDefaults() Options {
	size := func(n *int, fallback int) {
		if *n == 0 {
			*n = fallback
		}
		*n = max(*n, 0)
	}
	size(&o.Users, 300)
	size(&o.Projects, 40)
	size(&o.Groups, 12)
	size(&o.Invites, 24)
	size(&o.AuditEvents, 1500)
	o.Users = max(o.Users, 1)
	if o.AdminKey == "" {
		o.AdminKey = DefaultAdminKey
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

func (o Options) seed() *data.Organization {
	sizes := data.Sizes{
		Users: o.Users, Projects: o.Projects, Groups: o.Groups, Invites: o.Invites, AuditEvents: o.AuditEvents,
	}
	org := data.Seed(o.Seed, sizes, o.AdminKey, o.Now())
	org.LongestKeyLife = seconds(o.LongestKeyLife)
	for id, life := range o.ProjectKeyLives {
		if p := org.Projects.Get(id); p != nil {
			p.LongestKeyLife = seconds(life)
		}
	}
	return org
}

// Sandbox serves the API under /v1 and its controls under /_sandbox. It is an
// [http.Handler] and safe for concurrent use. Faults that close a connection
// panic with [http.ErrAbortHandler], which net/http recovers; a caller without a
// server has to recover it.
type Sandbox struct {
	options   Options
	router    *router
	dataPlane []dataOperation
	names     []string // of the Admin API's operations
	clock     *movedClock

	mu  sync.RWMutex
	org *data.Organization

	faults    *faultList
	journal   *journal
	budget    *budget
	requestID atomic.Uint64
}

// New returns a sandbox with a newly seeded organization.
func New(options Options) *Sandbox {
	options = options.withDefaults()
	operations := catalog()
	s := &Sandbox{
		options:   options,
		router:    newRouter(operations),
		dataPlane: dataPlane(),
		clock:     &movedClock{base: options.Now},
		org:       options.seed(),
		faults:    new(faultList),
		journal:   newJournal(),
		budget:    newBudget(options.Budget),
	}
	for i := range operations {
		s.names = append(s.names, operations[i].name())
	}
	return s
}

// Operations returns the names of the operations, as Fault.Op, Count and Counts use
// them: for example "GET /organization/users/{user_id}".
func (s *Sandbox) Operations() []string {
	return append([]string(nil), s.names...)
}

// Reset seeds the organization anew, with a clock that shows Options.Now again, and
// clears faults, counts, the request log and the budget.
func (s *Sandbox) Reset() {
	s.clock.set(s.options.Now())
	org := s.options.seed()
	s.mu.Lock()
	s.org = org
	s.mu.Unlock()
	s.faults.clear()
	s.journal.clear()
	s.budget.clear()
}

// answer is the response to a call, before a fault changes it.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// ServeHTTP answers a call of the API or of the controls.
func (s *Sandbox) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, controlPath) {
		s.serveControl(w, r)
		return
	}
	id := fmt.Sprintf("req_%016x%016x", data.Mix(s.options.Seed), s.requestID.Add(1))
	w.Header().Set("X-Request-Id", id)
	w.Header().Set("Openai-Version", "2020-10-01")

	path, inside := strings.CutPrefix(r.URL.EscapedPath(), basePath+"/")
	var dataOp *dataOperation
	if inside {
		dataOp = s.dataOperation(r.Method, path)
	}
	op, variables, refused := s.router.find(r.Method, path)
	if !inside {
		refused = &apiError{
			status: http.StatusNotFound, kind: invalidRequest, code: "unknown_url",
			message: fmt.Sprintf("Invalid URL (%s %s)", r.Method, r.URL.EscapedPath()),
		}
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	name := unmatched
	switch {
	case dataOp != nil:
		name, refused = dataOp.name(), nil
	case refused == nil:
		name = op.name()
	}
	s.journal.record(name, id, r, body)
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		refused = &apiError{status: http.StatusRequestEntityTooLarge, kind: invalidRequest, message: "The request body is too large."}
	} else if err != nil {
		return // the client is gone
	}
	if refused != nil {
		writeAnswer(w, refusal(refused))
		return
	}
	if dataOp != nil {
		s.underFaults(w, r, s.faults.takeNamed(dataOp.name()), func(string) answer {
			return s.executeData(dataOp, r.Header.Get("Authorization"), body)
		})
		return
	}
	s.serveOperation(w, r, op, variables, body)
}

func (s *Sandbox) serveOperation(w http.ResponseWriter, r *http.Request, op *operation, variables map[string]string, body []byte) {
	if wait, over := s.budget.spend(op.name()); over {
		writeAnswer(w, s.budget.refusal(wait))
		return
	}
	s.underFaults(w, r, s.faults.take(op.name(), r.URL.EscapedPath()), func(query string) answer {
		a := s.execute(op, variables, query, r.Header.Get("Authorization"), body)
		if op.method == http.MethodPost && a.status == http.StatusOK {
			s.faults.created(a.body)
		}
		return a
	})
}

// underFaults answers a call with what execute does with its query, unless a fault does
// something else.
func (s *Sandbox) underFaults(w http.ResponseWriter, r *http.Request, fault trouble, execute func(query string) answer) {
	if !fault.wait(r.Context()) {
		panic(http.ErrAbortHandler)
	}
	if fault.instead(w) {
		return
	}
	query := r.URL.RawQuery
	if fault.is(Endless) {
		query = withoutCursor(query)
	}
	a := execute(query)
	fault.transform(&a, r.URL.Query())
	fault.send(w, a)
}

// execute runs the operation and encodes the answer, both under the organization's
// lock.
func (s *Sandbox) execute(op *operation, variables map[string]string, rawQuery, authorization string, body []byte) answer {
	if op.method == http.MethodGet {
		s.mu.RLock()
		defer s.mu.RUnlock()
	} else {
		s.mu.Lock()
		defer s.mu.Unlock()
	}
	now := s.clock.now().Unix()
	token, isBearer := strings.CutPrefix(authorization, "Bearer ")
	if !isBearer || token == "" {
		return refusal(unauthorized("You didn't provide an API key."))
	}
	key, refused := authenticate(s.org, token, now)
	if refused != nil {
		return refusal(refused)
	}
	query, refused := decodeQuery(rawQuery, op.query)
	if refused != nil {
		return refusal(refused)
	}
	members, refused := decodeBody(body, op)
	if refused != nil {
		return refusal(refused)
	}
	result, err := op.serve(&call{
		org: s.org, path: variables, query: query, body: members, key: key, now: now,
		costsAsNumbers: s.options.CostsAsNumbers, ignoreKeyLives: s.options.IgnoreKeyLives,
	})
	if err != nil {
		return refusal(asAPIError(err))
	}
	return answer{status: http.StatusOK, body: encode(result)}
}

func refusal(e *apiError) answer {
	return answer{status: e.status, header: e.header, body: encode(e.body())}
}

// encode does not escape <, > and &, as the API does not.
func encode(v any) []byte {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		// Every answer is made of types that encode; this is a bug in here.
		panic(fmt.Sprintf("sandbox: encode %T: %v", v, err))
	}
	return b.Bytes()
}

func writeAnswer(w http.ResponseWriter, a answer) {
	header := w.Header()
	for name, texts := range a.header {
		header[name] = texts
	}
	if header.Get("Content-Type") == "" {
		header.Set("Content-Type", "application/json")
	}
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body) // a client that is gone needs no answer
}
