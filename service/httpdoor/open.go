package httpdoor

import (
	"net/http"

	"github.com/admin-gateway/admin-gateway/internal/peernet"
)

// Open is for a handler that asks for no credential, such as that of operators: each
// request counts as the call of a caller, which is the network that it comes from. A
// request for which there is no such place is served as that of a stranger.
func Open(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c, ok := r.Context().Value(connKey{}).(*conn); ok {
			call := c.guard.Call()
			defer call.End()
			_ = call.Authenticated(peernet.Of(r.RemoteAddr).String()) // See above.
		}
		next.ServeHTTP(w, r)
	})
}
