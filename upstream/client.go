package upstream

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"time"
)

// Client sends Requests. It is safe for concurrent use.
type Client struct {
	base      string
	config    Config
	transport http.RoundTripper
	own       *http.Transport // nil when the transport is the caller's
	echoes    echoes
}

// Reply is a 2xx answer, or the certain part of one that was lost on the way to a
// [Sender].
type Reply struct {
	// Status is the HTTP status, 200 to 203: those of a whole answer.
	Status int
	// Body is decompressed and looks like an answer of the API. [Endpoint.Decode] reads
	// it.
	Body []byte
	// RequestID is the upstream's id of the call, or empty.
	RequestID string
}

// New returns a Client. It connects when it is first used; the error is about
// the configuration.
func New(config Config) (*Client, error) {
	if err := config.setDefaults(); err != nil {
		return nil, fmt.Errorf("upstream: %w", err)
	}
	base, err := parseBase(config.BaseURL, config.AllowPlaintext)
	if err != nil {
		return nil, fmt.Errorf("upstream: %w", err)
	}
	c := &Client{base: base, config: config, transport: config.Transport}
	if c.transport == nil {
		c.own = newTransport(&config)
		c.transport = c.own
	}
	return c, nil
}

// Close closes the idle connections of the transport that the client made. Calls in
// flight continue to their end.
func (c *Client) Close() {
	if c.own != nil {
		c.own.CloseIdleConnections()
	}
}

// Do makes one attempt to send r, which [Endpoint.Request] of e made. It never
// follows a redirect and never sends a write again of which a byte may have
// been written. It ends with ctx at once, and after the total timeout at the
// latest. 200 to 203 are success; every error is an *Error, except for a
// request that is not of e.
func (c *Client) Do(ctx context.Context, e *Endpoint, r *Request) (*Reply, error) {
	if r.Verb != e.verb || !strings.HasPrefix(r.Path, "/") {
		return nil, fmt.Errorf("upstream: not a request of %s", e)
	}
	ctx, o := c.observe(ctx, e)
	var reply *Reply
	var err *Error
	defer func() { o.end(reply, err) }()
	if reply, err = c.attempt(ctx, e, r); err != nil {
		c.config.Logger.LogAttrs(ctx, failureLevel(err.Kind), "upstream call failed",
			slog.String("endpoint", e.String()), slog.String("kind", err.Kind.String()), slog.String("error", err.Error()))
		return nil, err
	}
	return reply, nil
}

// failureLevel is how much a failed attempt matters to an operator. What the upstream says
// of a request, such as that there is nothing of an id, is its caller's business.
func failureLevel(k Kind) slog.Level {
	switch k {
	case InvalidArgument, NotFound, Conflict, Canceled:
		return slog.LevelInfo
	default:
		return slog.LevelWarn
	}
}

func (c *Client) attempt(caller context.Context, e *Endpoint, r *Request) (*Reply, *Error) {
	if caller.Err() != nil {
		return nil, lost(caller, caller, e.writes(), false, context.Cause(caller))
	}
	key, err := c.config.Key.Key(caller)
	if err == nil && key.Reveal() == "" {
		err = errors.New("the key source gave an empty key")
	}
	if err != nil {
		return nil, &Error{Kind: CredentialRejected, Reason: ReasonCredentialUnreadable, cause: err}
	}
	known := c.echoes.of(key)

	timed, stop := context.WithTimeoutCause(caller, c.config.TotalTimeout, errAttemptTimeout)
	defer stop()
	ctx, cancel := context.WithCancelCause(timed)
	defer cancel(nil)
	x := &exchange{write: e.writes(), cancel: cancel, blind: c.own == nil}
	request, err := c.newRequest(httptrace.WithClientTrace(ctx, x.trace()), r, key)
	if err != nil {
		return nil, &Error{Kind: Unavailable, Reason: ReasonUnavailable, cause: err}
	}
	// The transport itself, not an http.Client: no redirects and no cookies.
	response, err := c.transport.RoundTrip(request)
	if err != nil {
		return nil, lost(caller, ctx, e.writes(), x.sent(), scrubbed(err, known.scrub))
	}
	defer response.Body.Close()
	if response.StatusCode < 200 || response.StatusCode > 299 {
		var body []byte
		// After 101 the body is the connection, which no context ends.
		if response.StatusCode != http.StatusSwitchingProtocols {
			// The status says enough when the body cannot be read.
			body, _ = readBody(response, maxErrorBody)
		}
		return nil, refused(e.writes(), response, body, known.scrub, time.Now())
	}
	return c.accept(caller, ctx, e, response, known)
}

func (c *Client) accept(caller, ctx context.Context, e *Endpoint, response *http.Response, known *traces) (*Reply, *Error) {
	id := requestID(response.Header, known.scrub)
	arriving := &arrival{ReadCloser: response.Body}
	response.Body = arriving
	body, err := readBody(response, c.config.MaxBody)
	var failure *Error
	switch {
	case err != nil && ctx.Err() != nil:
		failure = lost(caller, ctx, e.writes(), true, err)
	case err != nil:
		failure = badAnswer(e.writes(), "the answer cannot be read", scrubbed(err, known.scrub))
	default:
		body = c.sift(ctx, e, body, known)
		wrong := looksWrong(response.StatusCode, response.Header, body)
		if wrong == "" {
			return &Reply{Status: response.StatusCode, Body: body, RequestID: id}, nil
		}
		failure = badAnswer(e.writes(), wrong, nil)
	}
	failure.Status, failure.RequestID = response.StatusCode, id
	failure.cut = arriving.broke || err != nil && ctx.Err() != nil
	return nil, failure
}

// sift returns an answer without what nobody may have of it. It runs before anything
// keeps, decodes or counts the answer.
func (c *Client) sift(ctx context.Context, e *Endpoint, body []byte, known *traces) []byte {
	body, echoed := known.clean(body)
	if echoed {
		c.config.Attempts.Masked(MaskedAdminKey)
		c.config.Logger.LogAttrs(ctx, slog.LevelError, "the upstream, or something in between, sent the admin key back; it was taken out of the answer", slog.String("endpoint", e.String()))
	}
	if e.secret {
		return body
	}
	body, found := withoutCredentials(body)
	if found {
		c.config.Attempts.Masked(MaskedCredential)
		c.config.Logger.LogAttrs(ctx, slog.LevelWarn, "an answer that should have no credential has one; it was masked", slog.String("endpoint", e.String()))
	}
	return body
}

// newRequest sets every header that is sent. None of them comes from a caller.
func (c *Client) newRequest(ctx context.Context, r *Request, key Secret) (*http.Request, error) {
	var body io.Reader
	if r.Body != nil {
		body = bytes.NewReader(r.Body)
	}
	target := c.base + r.Path
	if r.Query != "" {
		target += "?" + r.Query
	}
	request, err := http.NewRequestWithContext(ctx, r.Verb, target, body)
	if err != nil {
		if inner, ok := errors.AsType[*url.Error](err); ok {
			err = inner.Err // without the URL
		}
		return nil, err
	}
	request.Header = http.Header{
		"Authorization":   {"Bearer " + key.Reveal()},
		"Accept":          {"application/json"},
		"Accept-Encoding": {"gzip"},
		"User-Agent":      {c.config.UserAgent},
	}
	if r.Body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	if c.config.SendTraceparent {
		sendTrace(ctx, request.Header)
	}
	return request, nil
}

// scrubbed returns err, unless its text shows the key: a malformed answer can make
// net/http quote it. Then it returns an error with the scrubbed text alone.
func scrubbed(err error, scrub func(string) string) error {
	text := err.Error()
	if without := scrub(text); without != text {
		return errors.New(without)
	}
	return err
}
