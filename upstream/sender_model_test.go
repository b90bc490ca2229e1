package upstream_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/admin-gateway/admin-gateway/upstream"
)

// fate is the result of one attempt in the model.
type fate struct {
	Kind string
	// Does reports whether the upstream carries out the request before that.
	Does bool
	// Takes is the time until the answer, or until the failure.
	Takes time.Duration
	// RetryAfter is that of a 429, in seconds.
	RetryAfter int
}

// fates are the kinds, and on which verbs a further attempt may follow.
var fates = map[string]struct{ again, does string }{
	"ok":        {"", "always"},
	"unsent":    {"GET DELETE", "never"},
	"lost":      {"GET DELETE", "either"},
	"cut":       {"GET DELETE", "always"},
	"503 api":   {"GET DELETE", "never"},
	"500 api":   {"DELETE", "never"},
	"503 other": {"GET DELETE", "either"},
	"502":       {"GET DELETE", "either"},
	"429":       {"GET DELETE", "never"},
	"400":       {"", "never"},
	"404 other": {"", "never"},
	"nonsense":  {"DELETE", "always"},
}

// world is an upstream with or without one resource, as a transport.
type world struct {
	thing   bool
	fates   []fate
	began   time.Time
	asked   []time.Duration // when, since began
	late    int             // attempts after the caller's context had ended
	done    int             // how often a write was done
	missing bool            // the API has said that the resource does not exist
	caller  context.Context //nolint:containedctx // to see whether it has ended
}

func (w *world) RoundTrip(r *http.Request) (*http.Response, error) {
	f := w.fates[len(w.asked)%len(w.fates)]
	w.asked = append(w.asked, time.Since(w.began))
	if w.caller.Err() != nil {
		w.late++
	}
	missing := r.Method == http.MethodDelete && !w.thing && f.Does
	if f.Does && !missing {
		w.done++
		w.thing = w.thing && r.Method != http.MethodDelete
	}
	trace := httptrace.ContextClientTrace(r.Context())
	trace.GetConn("")
	if f.Kind != "unsent" {
		trace.WroteHeaders()
	}
	select {
	case <-time.After(f.Takes):
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
	if missing && (f.Kind == "ok" || f.Kind == "nonsense") {
		w.missing = true
		return answered(404, apiSays), nil
	}
	switch f.Kind {
	case "ok":
		return answered(200, `{}`), nil
	case "unsent", "lost":
		return nil, errors.New("connection refused, or reset")
	case "cut":
		reply := answered(200, "")
		reply.Body = io.NopCloser(io.MultiReader(strings.NewReader(`{"id`), broken{}))
		return reply, nil
	case "429":
		reply := answered(429, apiSays)
		reply.Header.Set("Retry-After", strconv.Itoa(f.RetryAfter))
		return reply, nil
	case "nonsense":
		return answered(200, "<html>"), nil
	}
	code, err := strconv.Atoi(f.Kind[:3])
	if err != nil {
		return nil, err
	}
	if strings.HasSuffix(f.Kind, "other") || f.Kind == "502" {
		return answered(code, "<html>"), nil
	}
	return answered(code, apiSays), nil
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func answered(code int, body string) *http.Response {
	return &http.Response{StatusCode: code, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), ContentLength: -1}
}

func drawFate(t *rapid.T) fate {
	f := fate{Takes: time.Duration(rapid.SampledFrom([]int{0, 0, 10, 100, 3000}).Draw(t, "takes")) * time.Millisecond}
	f.Kind = rapid.SampledFrom(slices.Sorted(func(yield func(string) bool) {
		for kind := range fates {
			if !yield(kind) {
				return
			}
		}
	})).Draw(t, "kind")
	f.RetryAfter = rapid.SampledFrom([]int{0, 1, 30}).Draw(t, "retry after")
	switch fates[f.Kind].does {
	case "always":
		f.Does = true
	case "either":
		f.Does = rapid.Bool().Draw(t, "does")
	}
	return f
}

// TestSenderModel draws the results of attempts, deadlines and departures, and checks
// the properties of all of them: the number of requests to the upstream, and that the
// caller's result is true.
func TestSenderModel(t *testing.T) {
	t.Parallel()
	for _, c := range []call{getProject(t), createProject(t), archiveProject(t), deleteUser(t)} {
		t.Run(c.endpoint.String(), func(t *testing.T) {
			t.Parallel()
			rapid.Check(t, func(rt *rapid.T) { checkModel(t, rt, c) })
		})
	}
}

func checkModel(t *testing.T, rt *rapid.T, c call) {
	t.Helper()
	w := &world{thing: rapid.Bool().Draw(rt, "thing"), fates: rapid.SliceOfN(rapid.Custom(drawFate), 4, 4).Draw(rt, "fates")}
	within := time.Duration(rapid.IntRange(1, 20_000).Draw(rt, "deadline")) * time.Millisecond
	leaves := time.Duration(rapid.IntRange(1, 20_000).Draw(rt, "leaves")) * time.Millisecond
	paced := rapid.Bool().Draw(rt, "paced")
	there := w.thing
	var err error
	var ended time.Duration
	synctest.Test(t, func(t *testing.T) {
		client := newClient(t, "http://127.0.0.1:1", func(c *upstream.Config) { c.Transport = w })
		sender := newSender(t, client, func(o *upstream.SenderOptions) {
			o.Retry.FirstPause = 0
			if paced {
				o.Pacer = new(scriptedPacer)
			}
		})
		w.began = time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), within)
		defer cancel()
		w.caller = ctx
		time.AfterFunc(leaves, cancel)
		_, err = c.send(ctx, sender)
		ended = time.Since(w.began)
	})
	for _, fault := range judge(c, w, there, min(within, leaves), ended, err) {
		rt.Error(fault)
	}
}

// judge lists the violations.
func judge(c call, w *world, there bool, until, ended time.Duration, err error) (faults []string) {
	wrong := func(format string, args ...any) {
		faults = append(faults, fmt.Sprintf(format, args...)+fmt.Sprintf(" (asked at %v, error %v)", w.asked, err))
	}
	verb := c.endpoint.Verb()
	n := len(w.asked)
	most := 3
	if verb == http.MethodPost {
		most = 1
	}
	if n < 1 || n > most {
		wrong("%d attempts", n)
	}
	if w.late > 0 || ended > until {
		wrong("it went on after its context had ended")
	}
	for _, f := range w.fates[:max(n-1, 0)] {
		if !strings.Contains(fates[f.Kind].again, verb) {
			wrong("tried again after %q", f.Kind)
		}
	}
	kind := upstream.Kind(0)
	if e, ok := errors.AsType[*upstream.Error](err); ok {
		kind = e.Kind
	} else if err != nil {
		wrong("an error that is no *Error")
	}
	switch verb {
	case http.MethodPost:
		if w.done > 1 || err == nil && w.done != 1 {
			wrong("done %d times", w.done)
		}
		if err != nil && kind != upstream.OutcomeUnknown && w.done > 0 {
			wrong("said to be undone, and it was done")
		}
	case http.MethodDelete:
		if err == nil && w.thing {
			wrong("said to be done, and it was not")
		}
		if err != nil && kind != upstream.OutcomeUnknown && there && !w.thing {
			wrong("said to be undone, and it was done")
		}
		doubt := slices.ContainsFunc(w.fates[:max(n-1, 0)], func(f fate) bool { return fates[f.Kind].does != "never" })
		if err == nil && w.missing && !doubt {
			wrong("said to be done, and it was never there")
		}
	}
	return faults
}
