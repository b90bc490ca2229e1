package inventory

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/admin-gateway/admin-gateway/service/admission"
)

const (
	// maxToken bounds a resume token, in characters.
	maxToken = 64 << 10
	// maxCursor bounds a cursor of the upstream's that goes into one, and maxKey
	// the name of an item, in bytes.
	maxCursor = 4 << 10
	maxKey    = 256

	tokenVersion = 2
	tokenMAC     = 16
	// tokenHead is the room for all that is not a position within an item, but for the
	// cursor of the list: version, code, instant, and the frame of that cursor.
	tokenHead = 1 + tokenMAC + 11 + 8
)

// rest is the part of a stream that was not read, the content of a resume
// token.
//
// A token holds no secret and gives no access: every read is authorized anew. It has a
// message authentication code, so that nobody but a gateway can say what a stream does,
// and so that nothing of a token that belongs to another caller, RPC or request, or that
// was cut, is read.
type rest struct {
	// now is when the first stream began, in Unix seconds: an open range of time
	// ends there.
	now       int64
	positions []position
}

// The fields of a token's body: Protobuf's wire format.
const (
	tokenNow      = protowire.Number(1)
	tokenPosition = protowire.Number(2)
	positionKey   = protowire.Number(1)
	positionAt    = protowire.Number(2)
)

// tokenScope identifies the call that a token belongs to, and has the keys of its code.
type tokenScope struct {
	caller, procedure string
	request           []byte   // without its token
	keys              [][]byte // the first makes codes; any is accepted
}

func scopeOfToken(p *plan, permit admission.Permit, keys [][]byte) (tokenScope, error) {
	bare := proto.Clone(permit.Request().Interface())
	bare.ProtoReflect().Clear(p.token)
	wire, err := proto.MarshalOptions{Deterministic: true}.Marshal(bare)
	return tokenScope{permit.Caller(), permit.Method().Procedure, wire, keys}, err
}

// code authenticates the scope and the body of a token (HMAC-SHA256).
func (s tokenScope) code(key, body []byte) []byte {
	mac := hmac.New(sha256.New, key)
	for _, part := range [][]byte{[]byte(s.caller), []byte(s.procedure), s.request, body} {
		mac.Write(protowire.AppendVarint(nil, uint64(len(part)))) // So that no two scopes have the same text.
		mac.Write(part)
	}
	return mac.Sum(nil)[:tokenMAC]
}

// genuine returns whether a code was made with one of the keys. It takes as long as it
// takes to read the body, whatever the code is.
func (s tokenScope) genuine(code, body []byte) bool {
	good := false
	for _, key := range s.keys {
		good = hmac.Equal(s.code(key, body), code) || good
	}
	return good
}

func (r rest) appendBody(b []byte) []byte {
	b = protowire.AppendVarint(protowire.AppendTag(b, tokenNow, protowire.VarintType), uint64(r.now))
	for _, p := range r.positions {
		var inner []byte
		for _, key := range p.keys {
			inner = protowire.AppendString(protowire.AppendTag(inner, positionKey, protowire.BytesType), key)
		}
		if p.cursor != "" {
			inner = protowire.AppendString(protowire.AppendTag(inner, positionAt, protowire.BytesType), p.cursor)
		}
		b = protowire.AppendBytes(protowire.AppendTag(b, tokenPosition, protowire.BytesType), inner)
	}
	return b
}

// token is the rest in one word.
func (s tokenScope) token(r rest) string {
	body := r.appendBody(nil)
	b := append([]byte{tokenVersion}, s.code(s.keys[0], body)...)
	return base64.RawURLEncoding.EncodeToString(append(b, body...))
}

// size is how much of a token's body a position takes, in bytes.
func (p position) size() int {
	inner := 0
	for _, key := range p.keys {
		inner += 1 + protowire.SizeBytes(len(key))
	}
	if p.cursor != "" {
		inner += 1 + protowire.SizeBytes(len(p.cursor))
	}
	return 1 + protowire.SizeBytes(inner)
}

var errToken = errors.New("is not a resume token")

// parse reads a token. It fails for one of another scope, and for other texts, before it
// has read anything of them but their code. A position has at most depth names.
func (s tokenScope) parse(token string, depth int) (rest, error) {
	var r rest
	if len(token) > maxToken {
		return r, errToken
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || len(raw) < 1+tokenMAC || raw[0] != tokenVersion {
		return r, errToken
	}
	body := raw[1+tokenMAC:]
	if !s.genuine(raw[1:1+tokenMAC], body) {
		return r, errToken
	}
	err = fields(body, func(number protowire.Number, n uint64, value []byte) error {
		switch {
		case number == tokenNow && value == nil:
			r.now = int64(n)
			return nil
		case number == tokenPosition && value != nil:
			p, err := parsePosition(value, depth)
			r.positions = append(r.positions, p)
			return err
		default:
			return errToken
		}
	})
	if err != nil || len(r.positions) == 0 || r.now < 0 {
		return r, errToken
	}
	lists := 0
	for _, p := range r.positions {
		if len(p.keys) == 0 {
			lists++
		}
	}
	if lists > 1 {
		return r, errToken
	}
	return r, nil
}

func parsePosition(b []byte, depth int) (position, error) {
	p := position{page: -1}
	err := fields(b, func(number protowire.Number, _ uint64, value []byte) error {
		switch {
		case number == positionKey && len(value) > 0 && len(value) <= maxKey && len(p.keys) < depth && p.cursor == "":
			p.keys = append(p.keys, string(value))
			return nil
		case number == positionAt && len(value) > 0 && len(value) <= maxCursor && p.cursor == "":
			p.cursor = string(value)
			return nil
		default:
			return errToken
		}
	})
	return p, err
}

// fields goes through a message on the wire that has numbers and bytes. Value is
// nil for a number.
func fields(b []byte, each func(number protowire.Number, n uint64, value []byte) error) error {
	for len(b) > 0 {
		number, kind, length := protowire.ConsumeTag(b)
		if length < 0 {
			return errToken
		}
		b = b[length:]
		var n uint64
		var value []byte
		switch kind {
		case protowire.VarintType:
			n, length = protowire.ConsumeVarint(b)
		case protowire.BytesType:
			value, length = protowire.ConsumeBytes(b)
			if value == nil {
				value = []byte{}
			}
		default:
			return errToken
		}
		if length < 0 {
			return errToken
		}
		b = b[length:]
		if err := each(number, n, value); err != nil {
			return err
		}
	}
	return nil
}
