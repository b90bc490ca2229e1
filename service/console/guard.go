package console

import (
	"net"
	"net/http"
	"net/url"
	"strings"
)

// contentPolicy lets a page load the gateway's own style and script, and nothing else:
// text that came from the upstream can do nothing in it, whatever it is.
const contentPolicy = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// powers are those of a browser that no page needs.
const powers = "accelerometer=(), autoplay=(), camera=(), clipboard-read=(), display-capture=(), geolocation=(), gyroscope=(), " +
	"magnetometer=(), microphone=(), midi=(), payment=(), publickey-credentials-get=(), screen-wake-lock=(), usb=(), xr-spatial-tracking=()"

// guard says what a browser may do with an answer, and refuses requests under other names
// and those that other pages make. It returns whether the request goes on.
func (c *Console) guard(w http.ResponseWriter, r *http.Request) bool {
	header := w.Header()
	header.Set("Content-Security-Policy", contentPolicy)
	header.Set("Permissions-Policy", powers)
	header.Set("Referrer-Policy", "same-origin")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("X-Frame-Options", "DENY")
	header.Set("Cross-Origin-Opener-Policy", "same-origin")
	header.Set("Cross-Origin-Resource-Policy", "same-origin")
	header.Set("Cache-Control", "no-store")
	if c.jar.Secure {
		header.Set("Strict-Transport-Security", "max-age=31536000")
	}
	switch {
	case !c.isOwn(r.Host):
		// A page of another site could make its own name resolve to this machine.
		http.Error(w, "The console does not go by this name: set config key console.url.", http.StatusMisdirectedRequest)
	case r.Method != http.MethodGet && r.Method != http.MethodHead && r.Method != http.MethodPost:
		header.Set("Allow", "GET, HEAD, POST")
		http.Error(w, "Pages are read, and forms are posted.", http.StatusMethodNotAllowed)
	case len(r.URL.RawQuery) > maxQuery:
		http.Error(w, "The query is too long.", http.StatusRequestURITooLong)
	case r.Method == http.MethodPost && !isOwnForm(r), r.Method != http.MethodPost && !isNavigation(r):
		http.Error(w, "This request was made by a page of another site.", http.StatusForbidden)
	default:
		if r.Body != nil {
			r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		}
		return true
	}
	return false
}

// isOwn says whether a Host is a name of the console.
func (c *Console) isOwn(host string) bool {
	if c.options.URL != nil && strings.EqualFold(host, c.options.URL.Host) {
		return true
	}
	if !c.options.Loopback {
		return false
	}
	name, _, err := net.SplitHostPort(host)
	if err != nil {
		name = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	}
	ip := net.ParseIP(name)
	return strings.EqualFold(name, "localhost") || ip != nil && ip.IsLoopback()
}

// isNavigation says whether a read is one that may be made: by a page of the console, or by
// a person who follows a link to it. Programs that are no browsers say neither.
func isNavigation(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "same-origin", "none":
		return true
	default:
		return r.Header.Get("Sec-Fetch-Mode") == "navigate" && r.Header.Get("Sec-Fetch-Dest") == "document"
	}
}

// isOwnForm says whether a form was sent by a page of the console. A browser says where it
// comes from; who says nothing is not one.
func isOwnForm(r *http.Request) bool {
	site, origins := r.Header.Get("Sec-Fetch-Site"), r.Header.Values("Origin")
	if site != "" && site != "same-origin" || site == "" && len(origins) == 0 || len(origins) > 1 {
		return false
	}
	for _, origin := range origins {
		if at, err := url.Parse(origin); err != nil || at.Host == "" || !strings.EqualFold(at.Host, r.Host) {
			return false
		}
	}
	return true
}
