package fleet

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/admin-gateway/admin-gateway/cache/seal"
)

// formVersion is that of the form of questions and answers. Replicas do not read another.
const formVersion = 1

// maxHeader bounds the header of a question or an answer in bytes.
const maxHeader = 1 << 10

// errForm is the error of what is no question or answer of this version.
var errForm = errors.New("fleet: malformed")

// header is the first line of a question or an answer, as JSON. The payload follows it as
// it is.
type header struct {
	Version int `json:"v"`
	// Kind and WaitMillis are of a question: its kind, and how long it is waited for.
	Kind       string `json:"kind,omitempty"`
	WaitMillis int64  `json:"wait_ms,omitempty"`
	// Status is of an answer.
	Status status `json:"status,omitempty"`
}

func (h header) wait() time.Duration { return time.Duration(h.WaitMillis) * time.Millisecond }

// status is how a replica has answered.
type status string

const (
	statusOK          status = "ok"
	statusFailed      status = "failed"
	statusUnsupported status = "unsupported"
	statusOversized   status = "oversized"
)

// why is the reason for which an answer counts as missing; "" for one that does not.
func (s status) why() Why {
	switch s {
	case statusOK:
		return ""
	case statusFailed:
		return Failed
	case statusUnsupported:
		return Unsupported
	case statusOversized:
		return Oversized
	default:
		return Unreadable
	}
}

func statusOf(err error) status {
	switch {
	case err == nil:
		return statusOK
	case errors.Is(err, ErrUnknownKind):
		return statusUnsupported
	case errors.Is(err, ErrTooLarge):
		return statusOversized
	default:
		return statusFailed
	}
}

// envelopes writes and reads questions and answers. Each is bound to its purpose: a
// sealed one is good as nothing else, nor as the answer of another replica.
type envelopes struct{ sealer *seal.Sealer }

func questionOf(id string) string { return "admin-gateway fleet question " + id }

func answerOf(id, instance string) string { return "admin-gateway fleet answer " + id + " " + instance }

func (e envelopes) write(h header, payload []byte, purpose string) ([]byte, error) {
	h.Version = formVersion
	text, err := json.Marshal(h)
	if err != nil {
		return nil, fmt.Errorf("fleet: write a header: %w", err)
	}
	text = append(append(text, '\n'), payload...)
	if e.sealer != nil {
		text = e.sealer.Seal(text, []byte(purpose))
	}
	return text, nil
}

func (e envelopes) read(text []byte, purpose string) (header, []byte, error) {
	if e.sealer != nil {
		opened, ok := e.sealer.Open(text, []byte(purpose))
		if !ok {
			return header{}, nil, errForm
		}
		text = opened
	}
	first, payload, ok := bytes.Cut(text, []byte{'\n'})
	var h header
	if !ok || len(first) > maxHeader || json.Unmarshal(first, &h) != nil || h.Version != formVersion {
		return header{}, nil, errForm
	}
	return h, payload, nil
}
