package build

import (
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/config"
)

// metricsPath is that of the metrics.
const metricsPath = "/metrics"

// isMonitored returns whether probes and Prometheus use a path, under whatever name
// they know the gateway. They learn nothing else there, and change nothing.
func isMonitored(path string) bool { return isProbe(path) || path == metricsPath }

// refuseSites refuses requests that a browser makes for a page of another site. Such a
// page reaches a loopback address: by a form or a script, or under a name of its own
// that it makes resolve to this machine (DNS rebinding). Paths that are open stay so.
// The Host has to be a loopback name or address, or that of listen.
func refuseSites(next http.Handler, listen string, open func(path string) bool) http.Handler {
	own, _, _ := net.SplitHostPort(listen) // The config was checked.
	if ip := net.ParseIP(own); ip != nil && ip.IsUnspecified() {
		own = "" // Browsers take it for this machine, and it is nobody's name.
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !open(r.URL.Path) && (!isOwnHost(r.Host, own) || fromAnotherSite(r)) {
			http.Error(w, "from this machine's own name only, and from no page of another site", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// isOwnHost returns whether a Host, with or without a port, is a loopback one or own.
func isOwnHost(host, own string) bool {
	name, _, err := net.SplitHostPort(host)
	if err != nil {
		name = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	}
	return config.IsLoopback(name) || name != "" && strings.EqualFold(name, own)
}

// fromAnotherSite returns whether a browser says so. Other clients send neither header.
func fromAnotherSite(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "same-origin", "none": // "none" is a user who typed the address.
	default:
		return true
	}
	for _, origin := range r.Header.Values("Origin") {
		if page, err := url.Parse(origin); err != nil || page.Host != r.Host {
			return true
		}
	}
	return false
}

// withoutStorage has nothing on the way keep an answer.
func withoutStorage(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}
