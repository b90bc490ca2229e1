package connectdoor

import (
	"bytes"
	"context"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connecthttp"

	"github.com/admin-gateway/admin-gateway/service/httpdoor"
)

// Encoder is a [connect.Codec] that knows messages that are encoded already.
type Encoder interface {
	// Encoded is the encoded form of msg; false for one that has to be encoded. Nobody
	// changes it.
	Encoded(msg any) (data []byte, ok bool, err error)
}

// Options configure a [Door]. All are required.
type Options struct {
	// Codecs are the forms of messages. One may be an [Encoder].
	Codecs []connect.Codec
	// Compressor compresses answers of CompressMinBytes and more, for clients that
	// accept it.
	Compressor       connect.Compressor
	CompressMinBytes int
	// MaxRequestBytes bounds a message of a client; a larger one is RESOURCE_EXHAUSTED.
	MaxRequestBytes int
}

// Door serves unary calls. It is safe for concurrent use.
type Door struct {
	server  *connect.Server
	options Options
	specs   map[string]connect.Spec // of the unary methods, by path
	forms   map[string]*form        // by content type
	accepts []string                // the header that names the compressions
	errors  *connecthttp.ErrorWriter
	buffers sync.Pool // of *bytes.Buffer
}

// form is a form of messages.
type form struct {
	codec       connect.Codec
	encoder     Encoder  // nil: the codec is none
	contentType []string // the header
}

// New makes a door to the methods that are registered with server.
func New(server *connect.Server, options Options) *Door {
	d := &Door{
		server: server, options: options,
		specs: make(map[string]connect.Spec), forms: make(map[string]*form),
		accepts: []string{options.Compressor.Name()},
		errors:  connecthttp.NewErrorWriter(connecthttp.WithCodecs(options.Codecs...)),
		buffers: sync.Pool{New: func() any { return new(bytes.Buffer) }},
	}
	for spec := range server.Specs() {
		if spec.StreamType == connect.StreamTypeUnary {
			d.specs[spec.Procedure] = spec
		}
	}
	for _, codec := range options.Codecs {
		kind := "application/" + codec.Name()
		encoder, _ := codec.(Encoder)
		d.forms[kind] = &form{codec: codec, encoder: encoder, contentType: []string{kind}}
	}
	return d
}

// Serve makes one call of the server, in a context that has the connection of the
// request ([httpdoor.WithConnection]). It returns false, and has done nothing, for a
// request that is connecthttp's.
func (d *Door) Serve(ctx context.Context, w http.ResponseWriter, r *http.Request) bool {
	c, ok := d.take(r)
	if !ok {
		return false
	}
	c.ctx, c.writer, c.request = ctx, w, httpdoor.Body(ctx)
	if c.timed {
		c.timeout.Begin(ctx, time.Now().Add(c.longest))
		defer c.timeout.End(nil)
		c.ctx = &c.timeout
	}
	c.describe(r)
	err := verdict(d.server.Call(c.ctx, c.info.Spec.Procedure, &c.info, c)) //nolint:contextcheck // It is the context of the request, and with its deadline.
	if c.sent {
		return true
	}
	c.setHeaders()
	if err != nil {
		_ = d.errors.Write(w, r, err) // It fails where the client has gone.
	}
	return true
}

// take begins the call that a request is, if it is one for this door.
func (d *Door) take(r *http.Request) (*call, bool) {
	spec, known := d.specs[r.URL.Path]
	if !known || r.Method != http.MethodPost || r.URL.RawPath != "" {
		return nil, false
	}
	kinds := r.Header["Content-Type"]
	if len(kinds) != 1 || len(r.Header["Content-Encoding"]) > 0 {
		return nil, false
	}
	f := d.forms[kinds[0]]
	if f == nil {
		return nil, false
	}
	if version := r.Header["Connect-Protocol-Version"]; len(version) > 0 && version[0] != protocolVersion {
		return nil, false
	}
	longest, timed, ok := timeoutOf(r.Header["Connect-Timeout-Ms"])
	if !ok {
		return nil, false
	}
	c := &call{door: d, form: f, longest: longest, timed: timed}
	c.info.Spec = spec
	return c, true
}

const (
	// protocolVersion is the only one of the Connect protocol.
	protocolVersion = "1"
	// mostDigits are those of the longest timeout in milliseconds.
	mostDigits = 10
)

// timeoutOf reads the header with the timeout of a call; false for one that is not
// valid.
func timeoutOf(values []string) (timeout time.Duration, timed, ok bool) {
	if len(values) == 0 || values[0] == "" {
		return 0, false, true
	}
	millis, err := strconv.ParseUint(values[0], 10, 63)
	if err != nil || len(values[0]) > mostDigits {
		return 0, false, false
	}
	return time.Duration(millis) * time.Millisecond, true, true
}

// accepted says whether a client that accepts these encodings accepts one. The protocol
// has no weights.
func accepted(header []string, encoding string) bool {
	if len(header) == 0 {
		return false
	}
	for name := range strings.FieldsFuncSeq(header[0], func(r rune) bool { return r == ',' || r == ' ' }) {
		if name == encoding {
			return true
		}
	}
	return false
}

// keptBuffer is the largest buffer that is kept for the next call.
const keptBuffer = 64 << 10

func (d *Door) buffer() *bytes.Buffer {
	b, _ := d.buffers.Get().(*bytes.Buffer)
	return b
}

func (d *Door) release(b *bytes.Buffer) {
	if b.Cap() <= keptBuffer {
		b.Reset()
		d.buffers.Put(b)
	}
}
