package oidclogin

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// timeout bounds what a login asks of the provider at a time.
const timeout = 15 * time.Second

// Errors of a login. They say nothing of codes and tokens.
var (
	// ErrProvider means that the provider cannot be asked.
	ErrProvider = errors.New("console: the OpenID provider gives no answer")
	// ErrLogin means that the login is none: it has another state or nonce, its code is
	// not accepted, or its ID token is not one.
	ErrLogin = errors.New("console: the login with the OpenID provider has failed")
)

// Options configure [New]. Issuer, ClientID and RedirectURL are required.
type Options struct {
	// Issuer is the URL of the provider, where discovery begins.
	Issuer string
	// ClientID is the client of the console there, and Secret its secret; nil: it has
	// none.
	ClientID string
	Secret   func(context.Context) (string, error)
	// RedirectURL is the page of the console that the provider sends people back to.
	RedirectURL string
	// Scopes are asked for beside openid.
	Scopes []string
	// CAFile holds the authorities, in PEM, that the provider's server is verified against,
	// in place of the system's; optional. It is read at each connection.
	CAFile string
}

// Login logs people in. It is safe for concurrent use.
type Login struct {
	options Options
	client  *http.Client

	turn     chan struct{}  // holds one who may look at provider
	provider *oidc.Provider // nil: not discovered yet
}

// New makes a Login. The provider is asked when it is first needed, so that a gateway
// starts without it.
func New(o Options) *Login {
	return &Login{options: o, client: newClient(o.CAFile), turn: make(chan struct{}, 1)}
}

// Pending is a login that has begun. It is a secret of the browser that began it.
type Pending struct {
	State    string `json:"state"`
	Nonce    string `json:"nonce"`
	Verifier string `json:"verifier"`
	Next     string `json:"next"` // the page to go to
}

// Encode and Decode are for a cookie.
func (p Pending) Encode() string {
	text, err := json.Marshal(p)
	if err != nil {
		return ""
	}
	return string(text)
}

// Decode is false for what Encode has not made.
func Decode(text string) (p Pending, ok bool) {
	return p, json.Unmarshal([]byte(text), &p) == nil && p.State != "" && p.Nonce != "" && p.Verifier != ""
}

// discovered is the provider. One that does not answer is asked again by the next login.
func (l *Login) discovered(ctx context.Context) (*oidc.Provider, error) {
	select {
	case l.turn <- struct{}{}:
		defer func() { <-l.turn }()
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: %w", ErrProvider, ctx.Err())
	}
	if l.provider == nil {
		provider, err := oidc.NewProvider(ctx, l.options.Issuer)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrProvider, err)
		}
		l.provider = provider
	}
	return l.provider, nil
}

// Begin returns the page of the provider to go to.
func (l *Login) Begin(ctx context.Context, next string) (address string, p Pending, err error) {
	ctx, cancel := context.WithTimeout(oidc.ClientContext(ctx, l.client), timeout)
	defer cancel()
	flow, _, err := l.flow(ctx)
	if err != nil {
		return "", Pending{}, err
	}
	p = Pending{State: rand.Text(), Nonce: rand.Text(), Verifier: oauth2.GenerateVerifier(), Next: next}
	return flow.AuthCodeURL(p.State, oidc.Nonce(p.Nonce), oauth2.S256ChallengeOption(p.Verifier)), p, nil
}

func (l *Login) flow(ctx context.Context) (*oauth2.Config, *oidc.Provider, error) {
	provider, err := l.discovered(ctx)
	if err != nil {
		return nil, nil, err
	}
	flow := &oauth2.Config{
		ClientID: l.options.ClientID, Endpoint: provider.Endpoint(), RedirectURL: l.options.RedirectURL, Scopes: append([]string{oidc.ScopeOpenID}, l.options.Scopes...),
	}
	if l.options.Secret != nil {
		if flow.ClientSecret, err = l.options.Secret(ctx); err != nil {
			return nil, nil, fmt.Errorf("%w: its client secret: %w", ErrProvider, err)
		}
	}
	return flow, provider, nil
}

// Finish exchanges the code that the provider has sent the person back with for an ID
// token, and checks that it is of this login.
func (l *Login) Finish(ctx context.Context, p Pending, state, code string) (idToken string, err error) {
	if state != p.State || code == "" {
		return "", ErrLogin
	}
	ctx, cancel := context.WithTimeout(oidc.ClientContext(ctx, l.client), timeout)
	defer cancel()
	flow, provider, err := l.flow(ctx)
	if err != nil {
		return "", err
	}
	token, err := flow.Exchange(ctx, code, oauth2.VerifierOption(p.Verifier))
	if err != nil {
		if refused, ok := errors.AsType[*oauth2.RetrieveError](err); ok {
			return "", fmt.Errorf("%w: the code is refused: %q", ErrLogin, refused.ErrorCode)
		}
		return "", fmt.Errorf("%w: the code cannot be exchanged", ErrProvider)
	}
	raw, ok := token.Extra("id_token").(string)
	if !ok {
		return "", fmt.Errorf("%w: there is no ID token", ErrLogin)
	}
	verified, err := provider.VerifierContext(ctx, &oidc.Config{ClientID: l.options.ClientID}).Verify(ctx, raw)
	if err != nil {
		return "", fmt.Errorf("%w: the ID token is not valid: %w", ErrLogin, err)
	}
	if verified.Nonce != p.Nonce {
		return "", fmt.Errorf("%w: the ID token is of another login", ErrLogin)
	}
	return raw, nil
}
