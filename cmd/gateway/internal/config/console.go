package config

import (
	"net"
	"net/url"
	"time"
)

// Console configures the pages for people.
type Console struct {
	// URL is the address under which browsers know the console.
	URL string `yaml:"url"`
	// Session is how long a login lasts, Idle how long without a page.
	Session time.Duration `yaml:"session"`
	Idle    time.Duration `yaml:"idle"`
}

func defaultConsole(d Defaults) Console {
	return Console{Session: d.ConsoleSession, Idle: d.ConsoleIdle}
}

func (c *Console) settings() []setting {
	return []setting{
		{"console.url", &c.URL},
		{"console.session", &c.Session},
		{"console.idle", &c.Idle},
	}
}

// check reports an address that is none, and a console that browsers could reach under no
// name.
func (c *Console) check(fault func(key, format string, args ...any), listen string) {
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
