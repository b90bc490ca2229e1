package config

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
)

// CORS lists the web pages that may call from a browser. Without origins, no page
// may.
type CORS struct {
	// AllowedOrigins are exact, such as https://console.example. "*" allows all.
	AllowedOrigins []string `yaml:"allowed_origins"`
	// AllowCredentials lets pages use the client certificates of the browser. Bearer
	// tokens need no such permission.
	AllowCredentials bool `yaml:"allow_credentials"`
	// MaxAge is how long a browser may cache the answer to a preflight request.
	MaxAge time.Duration `yaml:"max_age"`
}

func (c *CORS) check(fault func(key, format string, args ...any)) {
	for _, origin := range c.AllowedOrigins {
		if err := CheckOrigin(origin); err != nil {
			fault("cors.allowed_origins", "%s", err)
		}
	}
	if c.AllowCredentials && slices.Contains(c.AllowedOrigins, "*") {
		fault("cors.allow_credentials", `does not go with the origin "*": every page that a user opens could call as the user`)
	}
	if c.AllowCredentials && len(c.AllowedOrigins) == 0 {
		fault("cors.allow_credentials", "has no effect without allowed_origins")
	}
	// Chrome caches for two hours at most, Firefox for a day.
	within(fault, "cors.max_age", c.MaxAge, 0, 24*time.Hour)
}

// CheckOrigin refuses texts that are neither the origin of a web page nor "*".
func CheckOrigin(origin string) error {
	if origin != "*" && !isOrigin(origin) {
		return fmt.Errorf(`%q is not an origin such as https://console.example, in lower case and without a path, nor "*"`, origin)
	}
	return nil
}

// isOrigin accepts only the spelling that browsers send: any other would never
// match. It refuses wildcards, which would match more than intended.
func isOrigin(origin string) bool {
	u, err := url.Parse(origin)
	return err == nil && u.Scheme != "" && u.Host != "" && origin == u.Scheme+"://"+u.Host && origin == strings.ToLower(origin) && !strings.Contains(origin, "*")
}
