package vaultdoor

import (
	"crypto/rand"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"connectrpc.com/connect/v2"
	"google.golang.org/protobuf/proto"

	"github.com/admin-gateway/admin-gateway/service/rpcerror"
)

// readTimeout bounds how long a body may take to arrive.
const readTimeout = 10 * time.Second

// exchange is one request of a client, and what becomes of it. It is the stream of the
// call.
type exchange struct {
	door    *Door
	writer  http.ResponseWriter
	request *http.Request
	route   *route            // nil: none has this path
	bound   map[string]string // by the path
	allowed []string          // the verbs of a path that has no route for this one

	// credential is what the call presents; "" for none, and for several.
	credential string
	said       *parameters // nil: not read yet
	failed     error       // of reading them
	status     int         // of a refusal for which the code is not specific enough
	failures   []string    // of a stream
	reply      *reply
}

// setHeaders gives the call the headers of the request. The token of Vault's header takes
// the place of an Authorization, as Vault does it; the JWT of a login, that of both.
func (x *exchange) setHeaders(header *connect.Header) {
	var credentials []string
	for name, values := range x.request.Header {
		switch name {
		case tokenHeader, "Authorization":
		default:
			header.SetValues(name, values)
		}
	}
	switch tokens := x.request.Header.Values(tokenHeader); {
	case x.route != nil && x.route.jwt:
		// The body comes before the caller is known. It is small, and its time is short.
		if said, err := x.parameters(); err == nil {
			if jwt, err := said.text("jwt"); err == nil && jwt != "" {
				credentials = []string{"Bearer " + jwt}
			}
		}
	case len(tokens) > 0:
		for _, token := range tokens {
			credentials = append(credentials, "Bearer "+token)
		}
	default:
		credentials = x.request.Header.Values("Authorization")
	}
	if len(credentials) == 1 {
		_, x.credential, _ = strings.Cut(credentials[0], " ")
	}
	if len(credentials) > 0 {
		header.SetValues("Authorization", credentials)
	}
}

// Receive makes the message of the call.
func (x *exchange) Receive(msg any) error {
	into, ok := msg.(proto.Message)
	if !ok || x.route == nil {
		return errors.New("a request without a route")
	}
	if err := x.refuseUnsupported(); err != nil {
		return err
	}
	made, err := x.route.request(x)
	if err != nil {
		return err
	}
	proto.Merge(into, made)
	return nil
}

// SendHeaders does nothing: they go with the answer.
func (x *exchange) SendHeaders() error { return nil }

// Send takes a message of the answer, until the call has ended.
func (x *exchange) Send(msg any) error {
	message, ok := msg.(proto.Message)
	if !ok {
		return errors.New("an answer that is not a message")
	}
	if made := x.route.answer(x, message); made != nil {
		x.reply = made
	}
	return nil
}

// refuseUnsupported refuses what would change the meaning of a request if it were left
// out.
func (x *exchange) refuseUnsupported() error {
	switch header := x.request.Header; {
	case header.Get(namespaceHeader) != "":
		return unsupported("namespaces: leave " + namespaceHeader + " empty")
	case header.Get(wrapHeader) != "":
		return unsupported("response wrapping: leave " + wrapHeader + " out")
	default:
		return nil
	}
}

func unsupported(what string) error {
	return &rpcerror.Error{
		Code: connect.CodeInvalidArgument, Reason: rpcerror.ReasonInvalidRequest, Message: "this door does not support " + what,
	}
}

// requestID names the request of the call: as the client says, so that a repetition is
// one, or drawn for this one alone.
func (x *exchange) requestID() string {
	if key := x.request.Header.Get(keyHeader); key != "" {
		return key
	}
	return rand.Text()
}

// parameters are what the request says, in its query or its body. They are read once.
func (x *exchange) parameters() (*parameters, error) {
	if x.said == nil && x.failed == nil {
		x.said, x.failed = x.read()
	}
	return x.said, x.failed
}

func (x *exchange) read() (*parameters, error) {
	if x.request.Method == http.MethodGet {
		return fromQuery(x.request.URL.RawQuery)
	}
	if x.request.Body == nil || x.request.Body == http.NoBody {
		return fromBody(nil)
	}
	for _, encoding := range x.request.Header.Values("Content-Encoding") {
		if !strings.EqualFold(encoding, "identity") {
			return nil, unsupported("compressed bodies")
		}
	}
	// A writer without deadlines has no connection that could wait.
	connection := http.NewResponseController(x.writer)
	_ = connection.SetReadDeadline(time.Now().Add(readTimeout))
	body, err := io.ReadAll(http.MaxBytesReader(x.writer, x.request.Body, maxBody))
	_ = connection.SetReadDeadline(time.Time{})
	if _, large := errors.AsType[*http.MaxBytesError](err); large {
		x.status = http.StatusRequestEntityTooLarge
		return nil, connect.NewError(connect.CodeResourceExhausted, "the body is too large").WithCause(err)
	}
	if err != nil {
		return nil, connect.NewError(connect.CodeInvalidArgument, "the body cannot be read").WithCause(err)
	}
	return fromBody(body)
}
