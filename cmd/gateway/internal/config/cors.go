package config

import (
	"net/url"
	"slices"
	"strings"
	"time"
)

// CORS says which pages may call from a browser; without origins none may.
type CORS struct {
	// AllowedOrigins are exact, such as https://console.example; "*" is all.
	AllowedOrigins []string `yaml:"allowed_origins"`
	// AllowCredentials lets pages send what the browser keeps: client
	// certificates. A bearer token is not one of these.
	AllowCredentials bool `yaml:"allow_credentials"`
	// MaxAge is how long a browser may remember the answer.
	MaxAge time.Duration `yaml:"max_age"`
}

func (c *CORS) check(fault func(key, format string, args ...any)) {
	for _, origin := range c.AllowedOrigins {
		if origin != "*" && !isOrigin(origin) {
			fault("cors.allowed_origins", `%q is no origin such as https://console.example, in lower case and without a path, nor "*"`, origin)
		}
	}
	if c.AllowCredentials && slices.Contains(c.AllowedOrigins, "*") {
		fault("cors.allow_credentials", `does not go with the origin "*": every page that a user opens could call as the user`)
	}
	if c.AllowCredentials && len(c.AllowedOrigins) == 0 {
		fault("cors.allow_credentials", "goes with allowed_origins")
	}
	// Longer than two hours no browser remembers it; a day is what the others do.
	within(fault, "cors.max_age", c.MaxAge, 0, 24*time.Hour)
}

// isOrigin wants what browsers send. Another spelling would never match, and a
// wildcard within would match more than it seems to.
func isOrigin(origin string) bool {
	u, err := url.Parse(origin)
	return err == nil && u.Scheme != "" && u.Host != "" && origin == u.Scheme+"://"+u.Host && origin == strings.ToLower(origin) && !strings.Contains(origin, "*")
}
