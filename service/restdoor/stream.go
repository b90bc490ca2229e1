package restdoor

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"connectrpc.com/connect/v2"
	"google.golang.org/protobuf/proto"

	"github.com/admin-gateway/admin-gateway/service/catalog"
	"github.com/admin-gateway/admin-gateway/service/door"
	"github.com/admin-gateway/admin-gateway/service/httpdoor"
	"github.com/admin-gateway/admin-gateway/service/pipeline"
	"github.com/admin-gateway/admin-gateway/service/rpcerror"
	"github.com/admin-gateway/admin-gateway/upstream"
)

// readTimeout bounds how long a body may take to arrive.
const readTimeout = 30 * time.Second

// errNoAnswer is the error for an answer that this door cannot send.
var errNoAnswer = errors.New("an answer that is not the upstream's")

// stream is the one request and the one answer of a call.
type stream struct {
	writer  http.ResponseWriter
	request *http.Request
	most    int // bytes of the body
	match   upstream.Match
	method  *catalog.Method // nil for a path that is not an operation of the API
	// answer is the upstream's JSON; it is set when the call has an answer.
	answer []byte
	// status is that of a refusal for which the code is not specific enough.
	status int
}

// Receive reads the request. Its query and body have not been read before.
func (s *stream) Receive(msg any) error {
	request, ok := msg.(proto.Message)
	if !ok || s.method == nil {
		return errors.New("a request of no operation")
	}
	body, err := s.body()
	if err != nil {
		return err
	}
	if beyond, ok := errors.AsType[*door.ElementsError](door.CheckJSON(body)); ok {
		return &upstream.RequestError{Field: beyond.Field, Reason: beyond.Reason}
	}
	err = s.match.Endpoint.Parse(request.ProtoReflect(), s.match.Values, s.request.URL.RawQuery, body)
	if _, named := errors.AsType[*upstream.RequestError](err); err == nil || named {
		return err
	}
	return connect.NewError(connect.CodeInvalidArgument, "not the JSON of this operation").WithCause(err)
}

// SendHeaders does nothing: they go with the answer.
func (s *stream) SendHeaders() error { return nil }

// Send keeps the answer until the call has ended.
func (s *stream) Send(msg any) error {
	response, ok := msg.(*pipeline.Response)
	if !ok {
		return errNoAnswer
	}
	answer, err := response.JSON()
	if err != nil {
		return err
	}
	if len(answer) == 0 {
		return errNoAnswer
	}
	s.answer = answer
	return nil
}

// body reads the whole body, up to a size and for so long.
func (s *stream) body() ([]byte, error) {
	if s.request.Body == nil || s.request.Body == http.NoBody {
		return nil, nil
	}
	// A writer without deadlines has no connection that could wait.
	connection := http.NewResponseController(s.writer)
	_ = connection.SetReadDeadline(time.Now().Add(readTimeout))
	body, err := io.ReadAll(http.MaxBytesReader(s.writer, s.request.Body, int64(s.most)))
	_ = connection.SetReadDeadline(time.Time{})
	if _, large := errors.AsType[*http.MaxBytesError](err); large {
		s.status = http.StatusRequestEntityTooLarge
		return nil, connect.NewError(connect.CodeResourceExhausted, "the body is too large").WithCause(err)
	}
	if err != nil {
		return nil, connect.NewError(connect.CodeInvalidArgument, "the body cannot be read").WithCause(err)
	}
	if len(body) > 0 && !isPlainJSON(s.request.Header) {
		s.status = http.StatusUnsupportedMediaType
		return nil, &rpcerror.Error{
			Code: connect.CodeInvalidArgument, Reason: rpcerror.ReasonMalformedRequest,
			Message: "the body must be of the type application/json, and not compressed",
		}
	}
	return body, nil
}

// isPlainJSON tells whether a body is JSON as it is, by its headers.
func isPlainJSON(header http.Header) bool {
	for _, encoding := range header.Values("Content-Encoding") {
		if !strings.EqualFold(encoding, "identity") {
			return false
		}
	}
	media, parameters, err := mime.ParseMediaType(header.Get("Content-Type"))
	charset, named := parameters["charset"]
	return err == nil && media == "application/json" && len(header.Values("Content-Type")) == 1 && (!named || strings.EqualFold(charset, "utf-8"))
}

// write writes a whole answer. A client that has gone away gets nothing.
func (d *Door) write(w http.ResponseWriter, r *http.Request, status int, body []byte) {
	header := w.Header()
	header["Content-Type"] = d.json
	if others := header["Vary"]; len(others) > 0 {
		header["Vary"] = append(others, d.vary...)
	} else {
		header["Vary"] = d.vary
	}
	if len(body) >= compressMinBytes && acceptsGzip(r.Header["Accept-Encoding"]) {
		header.Set("Content-Encoding", d.gzip.Name())
		w.WriteHeader(status)
		if compressed, err := d.gzip.Compress(w); err == nil {
			_, _ = compressed.Write(body)
			_ = compressed.Close()
		}
		return
	}
	_ = httpdoor.Write(w, status, body)
}

// acceptsGzip reads Accept-Encoding (RFC 9110): gzip, or everything, without a
// weight of zero.
func acceptsGzip(headers []string) bool {
	others, gzip := false, -1.0
	for _, header := range headers {
		for item := range strings.SplitSeq(header, ",") {
			coding, parameter, weighted := strings.Cut(item, ";")
			weight := 1.0
			if weighted {
				q, ok := strings.CutPrefix(strings.TrimSpace(parameter), "q=")
				parsed, err := strconv.ParseFloat(q, 64)
				if !ok || err != nil {
					continue
				}
				weight = parsed
			}
			switch coding = strings.TrimSpace(coding); {
			case strings.EqualFold(coding, "gzip"):
				gzip = weight
			case coding == "*":
				others = weight > 0
			}
		}
	}
	return gzip > 0 || gzip < 0 && others
}
