package sandbox

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// trouble is the effect of the faults on one call.
type trouble struct {
	delayMS int
	fault   *Fault // nil: nothing but the delay
	page    int    // different for every call in trouble
}

func (t trouble) is(kind FaultKind) bool { return t.fault != nil && t.fault.Kind == kind }

// wait returns false if the request ended first.
func (t trouble) wait(ctx context.Context) bool {
	if t.delayMS == 0 {
		return true
	}
	timer := time.NewTimer(time.Duration(t.delayMS) * time.Millisecond)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func or[T comparable](v, fallback T) T {
	var zero T
	if v == zero {
		return fallback
	}
	return v
}

// instead answers in place of the operation. It returns false if the operation
// has to run.
func (t trouble) instead(w http.ResponseWriter) bool {
	if t.fault == nil {
		return false
	}
	f := t.fault
	switch f.Kind {
	case Refuse:
		writeAnswer(w, refusal(f.refusal()))
	case RefuseFlat:
		e := f.refusal()
		writeAnswer(w, answer{status: e.status, body: encode(map[string]string{"code": e.code, "message": e.message})})
	case RateLimit:
		e := rateLimited("6.937s")
		e.message = or(f.Message, e.message)
		if f.RetryAfter > 0 {
			e.header = http.Header{"Retry-After": {strconv.Itoa(f.RetryAfter)}}
		}
		writeAnswer(w, refusal(e))
	case HTML:
		const page = "<!DOCTYPE html><html><head><title>%d</title></head><body><h1>Something is in the way</h1></body></html>\n"
		status := or(f.Status, http.StatusOK)
		writeAnswer(w, answer{
			status: status, header: http.Header{"Content-Type": {"text/html; charset=utf-8"}},
			body: fmt.Appendf(nil, page, status),
		})
	case Deep:
		levels := or(f.Size, 100_000)
		stream(w, "", repeat("[", levels), repeat("]", levels))
	case Huge, GzipBomb:
		encoding := ""
		if f.Kind == GzipBomb {
			encoding = "gzip"
		}
		stream(w, encoding, strings.NewReader(`{"object":"list","padding":"`), repeat("0", or(f.Size, 64<<20)), strings.NewReader(`"}`))
	case Drop:
		panic(http.ErrAbortHandler)
	case Redirect:
		w.Header().Set("Location", f.Location)
		w.WriteHeader(or(f.Status, http.StatusTemporaryRedirect))
	default:
		return false
	}
	return true
}

func (f *Fault) refusal() *apiError {
	e := &apiError{
		status: or(f.Status, http.StatusInternalServerError), kind: "server_error",
		message: or(f.Message, "The server had an error while processing your request."), code: f.Code,
	}
	if e.status < http.StatusInternalServerError {
		e.kind = invalidRequest
	}
	return e
}

// repeat returns a reader of n bytes of repeated text that holds one block only.
func repeat(text string, n int64) io.Reader {
	return io.LimitReader(&repeater{strings.Repeat(text, 32<<10)}, n)
}

type repeater struct{ block string }

func (r *repeater) Read(p []byte) (int, error) { return copy(p, r.block), nil }

// stream sends a body that may be too large for memory. It stops when the client
// stops reading.
func stream(w http.ResponseWriter, encoding string, body ...io.Reader) {
	w.Header().Set("Content-Type", "application/json")
	if encoding == "" {
		_, _ = io.Copy(w, io.MultiReader(body...))
		return
	}
	w.Header().Set("Content-Encoding", encoding)
	compressed := gzip.NewWriter(w)
	if _, err := io.Copy(compressed, io.MultiReader(body...)); err == nil {
		_ = compressed.Close()
	}
}

// transform changes the answer of an operation that has run.
func (t trouble) transform(a *answer, query url.Values) {
	if t.fault == nil || a.status != http.StatusOK {
		return
	}
	switch t.fault.Kind {
	default: // the others act before or after
	case Created:
		a.status = http.StatusCreated
	case WrongType:
		a.body = wrongType(a.body, t.fault.Variant)
	case Drift:
		variant := or(t.fault.Variant, "both")
		a.body = rewrite(a.body, func(v any) any {
			return drift(v, variant != "enums", variant != "fields")
		})
	case Endless:
		a.body = rewrite(a.body, func(v any) any {
			if page, ok := v.(map[string]any); ok {
				t.endless(page, query)
			}
			return v
		})
	}
}

// send writes the answer, or as much of it as the fault lets through.
func (t trouble) send(w http.ResponseWriter, a answer) {
	switch {
	case t.is(Lost):
		panic(http.ErrAbortHandler)
	case t.is(Cut):
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Length", strconv.Itoa(len(a.body)))
		w.WriteHeader(a.status)
		_, _ = w.Write(a.body[:len(a.body)/2])
		_ = http.NewResponseController(w).Flush() // so that the first half arrives at all
		panic(http.ErrAbortHandler)
	default:
		writeAnswer(w, a)
	}
}

// rewrite changes a decoded answer. Numbers keep their digits.
func rewrite(body []byte, change func(any) any) []byte {
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	var v any
	if err := decoder.Decode(&v); err != nil {
		return body
	}
	return encode(change(v))
}

func wrongType(body []byte, variant string) []byte {
	switch variant {
	case "string":
		return []byte(`"ok"` + "\n")
	case "null":
		return []byte("null\n")
	case "members":
		return rewrite(body, swapTypes)
	default:
		return []byte("[[]]\n")
	}
}

// swapTypes makes strings of numbers and numbers of strings.
func swapTypes(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for name, member := range v {
			v[name] = swapTypes(member)
		}
		return v
	case []any:
		for i, item := range v {
			v[i] = swapTypes(item)
		}
		return v
	case json.Number:
		return "n" + v.String()
	case string:
		return len(v)
	default:
		return v
	}
}

// driftingEnums are the members whose values come from closed sets.
var driftingEnums = map[string]bool{
	"status": true, "role": true, "mode": true, "residency": true, "group_type": true, "user_type": true,
	"owner_project_access": true, "type": true, "interval": true, "currency": true, "quantity_unit": true,
	"service_tier": true, "size": true, "source": true, "context_level": true,
}

// drift adds members to every object and replaces values of closed sets.
func drift(v any, fields, enums bool) any {
	switch v := v.(type) {
	case map[string]any:
		for name, member := range v {
			if _, isText := member.(string); enums && isText && driftingEnums[name] {
				v[name] = "brand_new_" + name
				continue
			}
			v[name] = drift(member, fields, enums)
		}
		if fields {
			v["brand_new_field"] = map[string]any{"nested": []any{json.Number("1"), "two", nil, true}}
		}
		return v
	case []any:
		for i, item := range v {
			v[i] = drift(item, fields, enums)
		}
		return v
	default:
		return v
	}
}

// cursorParams are the parameters that take the cursor in the three page styles.
var cursorParams = []string{"after", "before", "page"}

// withoutCursor removes the cursor, so that an endless list always serves its first
// page.
func withoutCursor(rawQuery string) string {
	query, err := url.ParseQuery(rawQuery)
	if err != nil {
		return rawQuery
	}
	for _, name := range cursorParams {
		query.Del(name)
	}
	return query.Encode()
}

// endless makes a page of a list say that another one follows.
func (t trouble) endless(page map[string]any, query url.Values) {
	member := ""
	for _, name := range []string{"last_id", "next", "next_page"} {
		if _, ok := page[name]; ok {
			member = name
		}
	}
	if _, isList := page["has_more"]; !isList {
		return
	}
	page["has_more"] = true
	if member == "" {
		t.endlessByID(page, query)
		return
	}
	page[member] = t.nextCursor(query)
	if t.fault.Variant == "empty_page" {
		page["data"] = []any{}
	}
}

// endlessByID does the same to a list whose next cursor is the id of its last item.
func (t trouble) endlessByID(page map[string]any, query url.Values) {
	items, _ := page["data"].([]any)
	if t.fault.Variant == "empty_page" || len(items) == 0 {
		page["data"] = []any{}
		return
	}
	if last, ok := items[len(items)-1].(map[string]any); ok {
		last["id"] = t.nextCursor(query)
	}
}

// nextCursor is what the page names as the cursor of the next one, by the variant.
func (t trouble) nextCursor(query url.Values) any {
	switch t.fault.Variant {
	case "cycle":
		for _, name := range cursorParams {
			if query.Get(name) == "cursor_a" {
				return "cursor_b"
			}
		}
		return "cursor_a"
	case "null_cursor":
		return nil
	case "empty_page", "new_cursor":
		return fmt.Sprintf("cursor_%d", t.page)
	default:
		return "cursor_same"
	}
}
