package upstream

import (
	"errors"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	optionsv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/options/v1"
	"github.com/admin-gateway/admin-gateway/internal/fieldmask"
	"github.com/admin-gateway/admin-gateway/upstream/adminjson"
)

// ending is a field of a request with the instant at which something is to end,
// where the upstream takes the seconds until then.
type ending struct {
	at, seconds protoreflect.FieldDescriptor
	mask        protoreflect.FieldDescriptor // of the request; nil: it has none
}

// compileEndings finds the endings of a request.
func compileEndings(input protoreflect.MessageDescriptor) ([]ending, error) {
	var endings []ending
	for i := range input.Fields().Len() {
		at := input.Fields().Get(i)
		mapping, _ := proto.GetExtension(at.Options(), optionsv1.E_Field).(*optionsv1.FieldMapping)
		if mapping.GetEnds() == "" {
			continue
		}
		seconds := input.Fields().ByName(protoreflect.Name(mapping.GetEnds()))
		switch {
		case at.Message() == nil || at.Message().FullName() != "google.protobuf.Timestamp" || at.IsList():
			return nil, fmt.Errorf("%s ends something, and is no google.protobuf.Timestamp", at.FullName())
		case seconds == nil || seconds.Kind() != protoreflect.Int64Kind || !seconds.HasPresence():
			return nil, fmt.Errorf("%s: ends %q: not an optional int64 of the request", at.FullName(), mapping.GetEnds())
		}
		endings = append(endings, ending{at, seconds, fieldmask.Of(input)})
	}
	return endings, nil
}

// reason of a request whose end has passed.
const pastEnd = "must be at least a second in the future"

// endedError says that an end is too near for a request to be sent.
type endedError struct{ field protoreflect.Name }

func (e endedError) Error() string { return string(e.field) + " has passed" }

// remaining is m with each end as the whole seconds from now until then. It is m
// itself where m has none.
//
// The upstream counts from a moment that is a little later, and in whole seconds. So
// the fraction is cut off: as long as the request takes less than a second to
// arrive, nothing ends later than was asked for.
func remaining(m protoreflect.Message, endings []ending, now time.Time) (protoreflect.Message, error) {
	sent := m
	for _, e := range endings {
		if !m.Has(e.at) && !m.Has(e.seconds) {
			continue
		}
		if sent == m {
			sent = proto.Clone(m.Interface()).ProtoReflect()
		}
		if e.mask != nil && m.Has(e.mask) {
			// A mask would keep the end from being sent, and one that is not sent is none.
			fieldmask.Add(sent, e.mask, e.seconds.Name())
		}
		if !m.Has(e.at) {
			continue
		}
		at := m.Get(e.at).Message()
		fields := at.Descriptor().Fields()
		left := time.Unix(at.Get(fields.ByName("seconds")).Int(), at.Get(fields.ByName("nanos")).Int()).Sub(now) / time.Second
		if left < 1 {
			return nil, endedError{e.at.Name()}
		}
		sent.Set(e.seconds, protoreflect.ValueOfInt64(int64(left)))
	}
	return sent, nil
}

// encodeBody encodes the body of a request that is sent now.
func (e *Endpoint) encodeBody(m protoreflect.Message, now time.Time) ([]byte, error) {
	sent, err := remaining(m, e.endings, now)
	if err != nil {
		return nil, err
	}
	body, err := e.body.AppendJSON(nil, sent)
	if err == nil {
		return body, nil
	}
	if field, ok := errors.AsType[*adminjson.FieldError](err); ok {
		return nil, &RequestError{Field: field.Path, Reason: field.Reason}
	}
	return nil, fmt.Errorf("encoding the body of %s: %w", e.name, err)
}

// now is r as it is sent now: with a body that says how long it is until an end.
func (r *Request) now() (*Request, error) {
	if r.pending == nil {
		return r, nil
	}
	body, err := r.pending(time.Now())
	if ended, ok := errors.AsType[endedError](err); ok {
		return nil, &Error{Kind: DeadlineExceeded, Reason: ReasonEndPassed, cause: ended}
	}
	if err != nil {
		return nil, err
	}
	sent := *r
	sent.Body = body
	return &sent, nil
}
