package client

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"connectrpc.com/connect/v2"
)

// Credential says who calls: a [Token], a [TokenFile] or a [TokenProvider]. It prints
// without its secret.
type Credential interface {
	// check finds what no call can be made with.
	check() error
	// token is the token of a call, "" for none. It is another one than refused, if
	// there is another.
	token(ctx context.Context, refused string) (string, error)
}

// secret is a token that does not print.
type secret func() string

// String says nothing about the token.
func (secret) String() string { return "a token" }

// GoString is String: the verb %#v prints no secret.
func (secret) GoString() string { return "a token" }

// Token is a credential that does not change: a caller's token.
func Token(token string) Credential { return secret(func() string { return token }) }

func (s secret) check() error {
	if err := checkToken(s()); err != nil {
		return &ConfigError{Argument: "token", Problem: "cannot be used", Err: err}
	}
	return nil
}

func (s secret) token(context.Context, string) (string, error) { return s(), nil }

// TokenFile is the token in a file, without the white space around it. The file is read
// again when it has changed, and when its token is refused.
func TokenFile(path string) Credential {
	var read os.FileInfo
	changed := func() bool {
		info, err := os.Stat(path)
		return err == nil && (!info.ModTime().Equal(read.ModTime()) || info.Size() != read.Size() || !os.SameFile(info, read))
	}
	provide := func(context.Context) (string, time.Time, error) {
		token, info, err := readToken(path)
		if err == nil {
			read = info
		}
		return token, time.Time{}, err
	}
	return &provider{name: "token_file", provide: provide, changed: changed, turn: make(chan struct{}, 1)}
}

// readToken reads a file, and says which it was.
func readToken(path string) (string, os.FileInfo, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", nil, withoutPath(err)
	}
	defer file.Close() //nolint:errcheck // It was only read.
	info, err := file.Stat()
	if err != nil {
		return "", nil, err
	}
	content, err := io.ReadAll(io.LimitReader(file, maxToken+1))
	return strings.TrimSpace(string(content)), info, err
}

// withoutPath is an error without the name of the file, in whose place a mistake can have
// put the secret itself.
func withoutPath(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	return err
}

// TokenProvider is a credential that a function gives, such as one that exchanges the
// token of a platform. It returns a token, and when it ends; the zero time if that is not
// known. A token is used until shortly before its end, or until it is refused; a call
// that was refused is then made once more, if there is another token. One call of the
// function is under way at a time.
func TokenProvider(provide func(ctx context.Context) (token string, expires time.Time, err error)) Credential {
	return &provider{name: "token_provider", provide: provide, changed: func() bool { return false }, turn: make(chan struct{}, 1)}
}

// provider has a token for as long as it is good.
type provider struct {
	name    string
	provide func(context.Context) (string, time.Time, error)
	// changed says that there is another one than the one that is held.
	changed func() bool
	// turn has room for the one who uses what is above and below.
	turn chan struct{}
	held secret
	// renew and end are when another is asked for, and when there has to be one; zero
	// where the token has no end.
	renew, end time.Time
}

// String is the sort of the provider.
func (p *provider) String() string { return p.name }

// GoString is String: the verb %#v prints no secret.
func (p *provider) GoString() string { return p.name }

func (p *provider) check() error {
	if p.provide == nil {
		return &ConfigError{Argument: p.name, Problem: "is nil"}
	}
	if p.name == "token_file" {
		if _, err := p.token(context.Background(), ""); err != nil {
			return &ConfigError{Argument: p.name, Problem: "cannot be used", Err: errors.Unwrap(err)}
		}
	}
	return nil
}

const (
	// aheadOfEnd is how long before its end a token is replaced, at most.
	aheadOfEnd = time.Minute
	// maxToken is the longest token that is taken.
	maxToken = 64 << 10
)

func (p *provider) token(ctx context.Context, refused string) (string, error) {
	select {
	case p.turn <- struct{}{}:
		defer func() { <-p.turn }()
	case <-ctx.Done():
		return "", ctx.Err()
	}
	good := p.held != nil && p.held() != refused
	if good && !p.changed() && (p.end.IsZero() || time.Now().Before(p.renew)) {
		return p.held(), nil
	}
	token, expires, err := p.provide(ctx)
	if err == nil {
		err = checkToken(token)
	}
	switch {
	case err == nil:
		p.held, p.renew, p.end = func() string { return token }, expires, expires
		if !expires.IsZero() {
			p.renew = expires.Add(-min(aheadOfEnd, time.Until(expires)/10))
		}
		return token, nil
	case good && (p.end.IsZero() || time.Now().Before(p.end)): // A file is being replaced, perhaps.
		return p.held(), nil
	case ctx.Err() != nil:
		return "", ctx.Err()
	default:
		return "", connect.Errorf(connect.CodeUnauthenticated, "there is no token: %v", err).WithCause(err)
	}
}

var errToken = errors.New("it is not one word of printable ASCII")

// checkToken finds what no header can carry.
func checkToken(token string) error {
	if token == "" || len(token) > maxToken || !printable(token, '!') {
		return errToken
	}
	return nil
}

// noToken is the credential of a connection without one.
type noToken struct{}

func (noToken) check() error                                  { return nil }
func (noToken) token(context.Context, string) (string, error) { return "", nil }
