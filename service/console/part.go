package console

import (
	"bytes"
	"context"
	"fmt"
	"html/template"
	"runtime/debug"
	"time"

	"connectrpc.com/connect/v2"

	"github.com/admin-gateway/admin-gateway/service/console/rpc"
	"github.com/admin-gateway/admin-gateway/service/rpcerror"
)

// state is what has become of a part.
type state string

const (
	stateWaiting state = "waiting" // nothing is there yet
	stateKept    state = "kept"    // what is stored is, and something newer is asked for
	stateDone    state = "done"
	stateDenied  state = "denied"
	stateFailed  state = "failed"
)

// section is a part as it is sent. A later one of the same number takes the place of an
// earlier one, by the style: that takes no script.
type section struct {
	Number   int
	Turn     int // so that its heading has an id of its own
	Part     *Part
	State    state
	Body     template.HTML
	Age      time.Duration // of the oldest answer in it
	Aged     bool          // it has one
	Trouble  *trouble      // of a part that failed, also beside an older body
	Progress *Progress
	Address  string // where the part alone is, for the script
	Refresh  int    // seconds; 0: never
}

// outcome is the end of one turn of a part.
type outcome struct {
	section section
	final   bool // there is no second turn
}

// denied is the section of a part for which its user lacks the permission.
func (c *Console) denied(s section) section {
	s.State, s.Trouble = stateDenied, &trouble{Permission: s.Part.Needs, Text: "Your caller lacks the permission " + s.Part.Needs + "."}
	return s
}

// keptTimeout bounds the turn for what is stored: a look into memory, and into Redis.
const keptTimeout = 300 * time.Millisecond

// keep is the first turn of a part: what is stored.
func (c *Console) keep(ctx context.Context, v *Visit, s section) outcome {
	if s.Part.Needs != "" && !v.Access.May(s.Part.Needs) {
		return outcome{c.denied(s), true}
	}
	s.State = stateWaiting
	if s.Part.Long {
		return outcome{section: s}
	}
	// Nobody waits for the upstream here, so that more of it at a time than there are
	// processors would only delay the beginnings of other pages.
	select {
	case c.rendering <- struct{}{}:
		defer func() { <-c.rendering }()
	case <-ctx.Done():
		return outcome{section: s}
	}
	ctx, cancel := context.WithTimeout(ctx, keptTimeout)
	defer cancel()
	notes := new(rpc.Notes)
	body, err := c.render(ctx, v.with(true, notes, nil), s.Part)
	if err != nil {
		if t := troubleOf(err); t.denied {
			s.State, s.Trouble = stateDenied, &t
			return outcome{s, true}
		}
		return outcome{section: s} // The second turn will tell.
	}
	age, stale := notes.Age()
	s.State, s.Body, s.Age, s.Aged = stateDone, body, age, age > 0 || stale
	// An ornament of the part, such as names, may yet come: it was not stored, or this turn was
	// over before it was looked for.
	later := stale || notes.Lacking() || ctx.Err() != nil
	if later {
		s.State = stateKept
	}
	return outcome{s, !later}
}

// renew is the second turn of a part: the answers that its user gets now. What was kept
// stays, beside the reason, where there is none.
func (c *Console) renew(ctx context.Context, v *Visit, s section, report func(Progress)) section {
	if s.Part.Needs != "" && !v.Access.May(s.Part.Needs) {
		return c.denied(s)
	}
	ctx, cancel := context.WithTimeout(ctx, s.Part.deadline())
	defer cancel()
	notes := new(rpc.Notes)
	body, err := c.render(ctx, v.with(false, notes, report), s.Part)
	s.Turn++
	if err != nil {
		t := troubleOf(err)
		s.State, s.Trouble = stateFailed, &t
		if t.denied {
			s.State, s.Body = stateDenied, "" // It may not be seen any more.
		}
		return s
	}
	age, stale := notes.Age()
	s.State, s.Body, s.Age, s.Aged, s.Trouble = stateDone, body, age, age > 0 || stale, nil
	return s
}

// render gathers a part and shows it. A fault of the code is one of this part alone.
func (c *Console) render(ctx context.Context, v *Visit, p *Part) (body template.HTML, err error) {
	defer func() {
		if panicked := recover(); panicked != nil {
			c.options.Logger.ErrorContext(ctx, "a part of a page panics", "part", p.ID, "panic", fmt.Sprint(panicked), "stack", string(debug.Stack()))
			err = connect.NewError(connect.CodeInternal, "internal error")
		}
	}()
	data, err := p.Gather(ctx, v)
	if err != nil {
		return "", err
	}
	var b bytes.Buffer
	if err := c.views.templates.ExecuteTemplate(&b, p.Template, Shown{Visit: v, Data: data, Now: v.Now}); err != nil {
		c.options.Logger.ErrorContext(ctx, "a part of a page cannot be shown", "part", p.ID, "error", err.Error())
		return "", connect.NewError(connect.CodeInternal, "internal error")
	}
	return template.HTML(b.String()), nil //nolint:gosec // A template of html/template has made it.
}

// trouble is why a part, or a page, has no data.
type trouble struct {
	Text       string
	Permission string // the one that is missing
	Reason     string
	RetryAfter time.Duration
	denied     bool
	status     int
}

// troubleOf says what the error of a call means to a person. It shows what every caller
// may see, and nothing else of it.
func troubleOf(err error) trouble {
	f := rpcerror.ToCaller(err)
	t := trouble{Text: f.Message, Reason: f.Reason, RetryAfter: f.RetryAfter, Permission: f.Metadata["permission"], status: 502}
	switch f.Code { //nolint:exhaustive // The others are as they are.
	case connect.CodePermissionDenied:
		t.denied, t.status = true, 403
	case connect.CodeResourceExhausted:
		t.status = 429
	case connect.CodeUnavailable:
		t.status = 503
	case connect.CodeDeadlineExceeded:
		t.Text, t.status = "There was no answer in time: the upstream's budget allows few calls a minute. Reload the page to wait again.", 504
	case connect.CodeInternal, connect.CodeUnknown:
		t.Text = "The gateway has failed. Its log says why."
	}
	return t
}

// Reason is what the error of a call means to a person, for a part that shows it beside
// something else.
func Reason(err error) string { return troubleOf(err).Text }
