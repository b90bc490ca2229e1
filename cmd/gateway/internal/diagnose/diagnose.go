package diagnose

import (
	"context"
	"time"

	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/build"
)

// Level says how bad a finding is.
type Level string

// The levels.
const (
	OK      Level = "ok"
	Warning Level = "warning"
	Failure Level = "failure"
)

// Finding is what was found out about one key of a config.
type Finding struct {
	// Key is the path of the key, such as tls.cert_file.
	Key   string `json:"key"`
	Level Level  `json:"level"`
	// Text says what was found, and what to do about it. It has no secret.
	Text string `json:"text"`
}

// patience bounds each step but the call to the upstream, which may have to wait for its
// turn among those of the replicas: upstreamPatience bounds that.
const (
	patience         = 10 * time.Second
	upstreamPatience = 30 * time.Second
)

// diagnosis is one run.
type diagnosis struct {
	*build.Parts
	report func(Finding)
	now    func() time.Time
}

// Run looks at everything that the config names, and reports each finding when it is
// known. The end of ctx ends it; what was not looked at is a failure then.
func Run(ctx context.Context, parts *build.Parts, report func(Finding)) {
	d := &diagnosis{Parts: parts, report: report, now: time.Now}
	for _, step := range []func(context.Context){
		d.secrets, d.policy, d.certificates, d.listeners, d.audit, d.ledgerFile,
		d.redis, d.issuers, d.collector, d.upstream,
	} {
		step(ctx)
	}
}

func (d *diagnosis) ok(key, text string)      { d.report(Finding{key, OK, text}) }
func (d *diagnosis) warn(key, text string)    { d.report(Finding{key, Warning, text}) }
func (d *diagnosis) failure(key, text string) { d.report(Finding{key, Failure, text}) }

// result reports a failure with the advice, or that all is well.
func (d *diagnosis) result(key string, err error, good, advice string) bool {
	if err != nil {
		d.failure(key, err.Error()+": "+advice)
		return false
	}
	d.ok(key, good)
	return true
}

// policy tells what of the policy nobody can use any more, or not for long.
func (d *diagnosis) policy(context.Context) {
	const key = "policy"
	for _, expired := range d.Policy.Expired() {
		d.failure(key, expired.Error())
	}
	for _, warning := range d.Policy.Warnings() {
		d.warn(key, warning.Error())
	}
	if len(d.Policy.Expired()) == 0 && len(d.Policy.Warnings()) == 0 {
		d.ok(key, "no credential expires soon, and no condition looks as if something else was meant")
	}
}
