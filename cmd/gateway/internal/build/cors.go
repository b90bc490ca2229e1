package build

import (
	"net/http"

	connectcors "connectrpc.com/cors"
	"github.com/rs/cors"

	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/config"
)

// allowOrigins lets the pages of the allowed origins call everything on the port. It
// passes the http.ResponseWriter on as it is.
func allowOrigins(c config.CORS, port http.Handler) http.Handler {
	if len(c.AllowedOrigins) == 0 {
		return port
	}
	return cors.New(cors.Options{
		AllowedOrigins:   c.AllowedOrigins,
		AllowCredentials: c.AllowCredentials,
		MaxAge:           int(c.MaxAge.Seconds()),
		AllowedMethods:   append(connectcors.AllowedMethods(), http.MethodDelete), // The paths below /v1/ have DELETE.
		AllowedHeaders: append(connectcors.AllowedHeaders(),
			"Authorization", "Cache-Control", "Idempotency-Key", "Traceparent", "Tracestate", "Connect-Accept-Encoding", "Connect-Content-Encoding"),
		ExposedHeaders: append(connectcors.ExposedHeaders(),
			requestIDHeader, "Age", "Cache-Status", "Retry-After", "Idempotency-Replayed", "WWW-Authenticate", "Connect-Content-Encoding"),
	}).Handler(port)
}

// requestIDHeader carries the id of a call back to its caller.
const requestIDHeader = "X-Request-Id"
