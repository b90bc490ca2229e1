package service_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"connectrpc.com/connect/v2"

	"github.com/admin-gateway/admin-gateway/service"
	"github.com/admin-gateway/admin-gateway/service/admission"
	"github.com/admin-gateway/admin-gateway/service/audit"
	"github.com/admin-gateway/admin-gateway/service/authn"
	"github.com/admin-gateway/admin-gateway/service/callers"
	"github.com/admin-gateway/admin-gateway/service/catalog"
)

// rootPolicy has one caller, that may do everything, as often as it likes.
const rootPolicy = `
callers:
  - name: root
    authenticate: [{token_sha256: $root}]
    grants: [{permissions: ["*"]}]
    limits: $free
`

// noLimits are as good as none.
const noLimits = "{requests_per_second: 1e9, burst: 1000000000, concurrent: 1000000}"

// tokenOf is the token of the caller that a test calls name.
func tokenOf(name string) string {
	digest := sha256.Sum256([]byte(name))
	return "agw_" + base64.RawURLEncoding.EncodeToString(digest[:])
}

var policyToken = regexp.MustCompile(`\$(\w+)`)

// policySet compiles a policy in which "$name" is the hash of name's token, and
// "$free" are limits that nobody reaches.
func policySet(tb testing.TB, methods *catalog.Catalog, text string) *callers.Set {
	tb.Helper()
	text = strings.ReplaceAll(text, "$free", noLimits)
	text = policyToken.ReplaceAllStringFunc(text, func(name string) string {
		digest := sha256.Sum256([]byte(tokenOf(name[1:])))
		return hex.EncodeToString(digest[:])
	})
	set, err := callers.Parse("policy.yaml", []byte(text), callers.Rules{Methods: methods.Access()})
	if err != nil {
		tb.Fatal(err)
	}
	return set
}

// testPolicy is a policy that a test can replace.
type testPolicy struct{ current atomic.Pointer[callers.Set] }

func (p *testPolicy) Current() *callers.Set { return p.current.Load() }

func newPolicy(tb testing.TB, methods *catalog.Catalog, text string) *testPolicy {
	tb.Helper()
	p := new(testPolicy)
	p.current.Store(policySet(tb, methods, text))
	return p
}

// records is an audit log in memory.
type records struct {
	mu     sync.Mutex
	kept   []audit.Record
	failed func(*audit.Record) error // what Write fails with; nil: nothing
}

func (r *records) Write(_ context.Context, record *audit.Record) error {
	if r.failed != nil {
		if err := r.failed(record); err != nil {
			return err
		}
	}
	r.Offer(record)
	return nil
}

func (r *records) Offer(record *audit.Record) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.kept = append(r.kept, *record)
}

func (r *records) all() []audit.Record {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]audit.Record(nil), r.kept...)
}

// compiledRules are the rules of requests, which all servers share: compiling
// them is most of what the first call of a method costs.
var compiledRules = sync.OnceValues(admission.NewValidator)

// open builds a server; what the options lack is root's policy and an audit log
// in memory.
func open(tb testing.TB, methods *catalog.Catalog, options service.Options) *connect.Server {
	tb.Helper()
	if options.Callers == nil {
		options.Callers = newPolicy(tb, methods, rootPolicy)
	}
	if options.Audit == nil {
		options.Audit = new(records)
	}
	if options.Authenticator == nil {
		authenticator, err := authn.New(authn.Config{})
		if err != nil {
			tb.Fatal(err)
		}
		tb.Cleanup(authenticator.Close)
		options.Authenticator = authenticator
	}
	if options.Validator == nil {
		var err error
		if options.Validator, err = compiledRules(); err != nil {
			tb.Fatal(err)
		}
	}
	server, err := service.NewServer(methods, options)
	if err != nil {
		tb.Fatal(err)
	}
	return server
}

// as makes a client of a door that calls with the token of name; "" has none.
func as(name string, door connect.Transport) *connect.Client {
	return connect.NewClient(door, func(next connect.ClientFunc) connect.ClientFunc {
		return func(ctx context.Context, spec connect.Spec) (connect.ClientStream, error) {
			info, ok := connect.CallInfoForClientContext(ctx)
			if !ok {
				return nil, fmt.Errorf("%s: no call info", spec.Procedure)
			}
			if name != "" {
				info.RequestHeader().Set("Authorization", "Bearer "+tokenOf(name))
			}
			return next(ctx, spec)
		}
	})
}
