package sandbox

import (
	"net/http"
	"strconv"
	"strings"
)

// controlPath is the prefix of the endpoints that control the sandbox. They need
// no credential: the sandbox belongs on a loopback address.
const controlPath = "/_sandbox/"

func (s *Sandbox) serveControl(w http.ResponseWriter, r *http.Request) {
	path := strings.TrimPrefix(r.URL.Path, controlPath)
	id, isFault := strings.CutPrefix(path, "faults/")
	switch {
	case r.Method == http.MethodGet && path == "faults":
		writeAnswer(w, answer{status: http.StatusOK, body: encode(s.faults.list())})
	case r.Method == http.MethodPost && path == "faults":
		s.controlInject(w, r)
	case r.Method == http.MethodDelete && path == "faults":
		s.ClearFaults()
		w.WriteHeader(http.StatusNoContent)
	case r.Method == http.MethodDelete && isFault:
		n, err := strconv.Atoi(id)
		if err != nil || !s.faults.remove(n) {
			writeAnswer(w, refusal(notFound("fault", id)))
			return
		}
		w.WriteHeader(http.StatusNoContent)
	case r.Method == http.MethodGet && path == "requests":
		writeAnswer(w, answer{status: http.StatusOK, body: encode(s.requestViews())})
	case r.Method == http.MethodGet && path == "counts":
		writeAnswer(w, answer{status: http.StatusOK, body: encode(map[string]any{"counts": s.Counts(), "peaks": s.Peaks()})})
	case r.Method == http.MethodGet && path == "operations":
		writeAnswer(w, answer{status: http.StatusOK, body: encode(s.Operations())})
	case r.Method == http.MethodPost && path == "reset":
		s.Reset()
		w.WriteHeader(http.StatusNoContent)
	case s.serveState(w, r, path):
	default:
		writeAnswer(w, refusal(noSuchControl(r)))
	}
}

func (s *Sandbox) controlInject(w http.ResponseWriter, r *http.Request) {
	var f Fault
	id, err := 0, decodeControl(w, r, &f)
	if err == nil {
		id, err = s.inject(f)
	}
	if err != nil {
		writeAnswer(w, refusal(badRequest("", "invalid_fault", "%s", err)))
		return
	}
	writeAnswer(w, answer{status: http.StatusCreated, body: encode(map[string]int{"id": id})})
}

// faultView is a fault with the number of calls that it met and changed.
type faultView struct {
	ID    int `json:"id"`
	Calls int `json:"calls"`
	Fired int `json:"fired"`
	Fault
}

func (l *faultList) list() []faultView {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := []faultView{}
	for _, a := range l.armed {
		out = append(out, faultView{a.id, a.calls, a.fired, a.Fault})
	}
	return out
}

type requestView struct {
	ID     string      `json:"id"`
	Op     string      `json:"op"`
	Method string      `json:"method"`
	Path   string      `json:"path"`
	Query  string      `json:"query"`
	Header http.Header `json:"header"`
	Body   string      `json:"body"`
	At     int64       `json:"at"`
}

// requestViews leaves credentials out: a gateway with a real key may have been
// pointed here by mistake.
func (s *Sandbox) requestViews() []requestView {
	out := []requestView{}
	for _, r := range s.Requests() {
		header := r.Header.Clone()
		if header.Get("Authorization") != "" {
			header.Set("Authorization", "redacted")
		}
		out = append(out, requestView{r.ID, r.Op, r.Method, r.Path, r.RawQuery, header, string(r.Body), r.At.Unix()})
	}
	return out
}
