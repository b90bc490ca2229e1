package config

import (
	"net"
	"net/url"
	"slices"
	"time"
)

// Console configures the pages for people.
type Console struct {
	// URL is the address under which browsers know the console.
	URL string `yaml:"url"`
	// Session is how long a login lasts, Idle how long without a page.
	Session time.Duration `yaml:"session"`
	Idle    time.Duration `yaml:"idle"`
	// OIDC logs people in with an OpenID provider.
	OIDC ConsoleOIDC `yaml:"oidc"`
}

// ConsoleOIDC is the client of the console at an OpenID provider. The zero value logs
// nobody in.
type ConsoleOIDC struct {
	// Issuer is the provider's URL: one of authn.issuers.
	Issuer string `yaml:"issuer"`
	// ClientID is one of the audiences of that issuer.
	ClientID     string    `yaml:"client_id"`
	ClientSecret SecretRef `yaml:"client_secret"`
	// Scopes are asked for beside openid.
	Scopes []string `yaml:"scopes"`
}

func defaultConsole(d Defaults) Console {
	return Console{Session: d.ConsoleSession, Idle: d.ConsoleIdle}
}

func (c *Console) settings() []setting {
	return []setting{
		{"console.url", &c.URL},
		{"console.session", &c.Session},
		{"console.idle", &c.Idle},
		{"console.oidc.issuer", &c.OIDC.Issuer},
		{"console.oidc.client_id", &c.OIDC.ClientID},
		{"console.oidc.client_secret.env", &c.OIDC.ClientSecret.Env},
		{"console.oidc.client_secret.file", &c.OIDC.ClientSecret.File},
		{"console.oidc.scopes", &c.OIDC.Scopes},
	}
}

// check reports an address that is none, and a console that browsers could reach under no
// name.
func (c *Console) check(fault func(key, format string, args ...any), listen string, issuers []Issuer) {
	c.OIDC.check(fault, c.URL, issuers)
	within(fault, "console.session", c.Session, time.Minute, 24*time.Hour)
	within(fault, "console.idle", c.Idle, time.Minute, 24*time.Hour)
	if c.URL != "" {
		at, err := url.Parse(c.URL)
		if err != nil || at.Scheme != "https" && at.Scheme != "http" || at.Host == "" || at.User != nil || at.Path != "" && at.Path != "/" || at.RawQuery != "" || at.Fragment != "" {
			fault("console.url", "%q is not an address such as https://console.example", c.URL)
		}
	}
	if listen == "" {
		return
	}
	if host, _, err := net.SplitHostPort(listen); err == nil && c.URL == "" && !IsLoopback(host) {
		fault("console.url", "is missing: console_listen is not a loopback address, and a page is served under a name that is known alone")
	}
}

// check reports a provider whose tokens the gateway would not accept, and one that could
// send nobody back.
func (o *ConsoleOIDC) check(fault func(key, format string, args ...any), url string, issuers []Issuer) {
	if o.ClientSecret.Env != "" && o.ClientSecret.File != "" {
		fault("console.oidc.client_secret", "set one of env and file, or neither")
	}
	if o.Issuer == "" {
		if o.ClientID != "" || o.ClientSecret != (SecretRef{}) || len(o.Scopes) > 0 {
			fault("console.oidc.issuer", "is missing")
		}
		return
	}
	if url == "" {
		fault("console.url", "is missing: the OpenID provider sends people back there")
	}
	at := slices.IndexFunc(issuers, func(i Issuer) bool { return i.URL == o.Issuer })
	switch {
	case at < 0:
		fault("console.oidc.issuer", "%q is not one of authn.issuers, so that its tokens are nobody's", o.Issuer)
	case !slices.Contains(issuers[at].Audiences, o.ClientID):
		fault("console.oidc.client_id", "%q is not an audience of this issuer in authn.issuers, so that its tokens are nobody's", o.ClientID)
	}
}
