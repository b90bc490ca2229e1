package build

import (
	"net/http"

	connectcors "connectrpc.com/cors"
	"github.com/rs/cors"

	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/config"
	"github.com/admin-gateway/admin-gateway/service/pipeline"
)

// allowOrigins lets web pages of the allowed origins call port. It passes the
// http.ResponseWriter through unwrapped.
func allowOrigins(c config.CORS, port http.Handler) http.Handler {
	if len(c.AllowedOrigins) == 0 {
		return port
	}
	return cors.New(cors.Options{
		AllowedOrigins:   c.AllowedOrigins,
		AllowCredentials: c.AllowCredentials,
		MaxAge:           int(c.MaxAge.Seconds()),
		AllowedMethods:   append(connectcors.AllowedMethods(), http.MethodDelete), // REST paths use DELETE.
		AllowedHeaders: append(connectcors.AllowedHeaders(),
			"Authorization", "Cache-Control", "Idempotency-Key", "Traceparent", "Tracestate", "Connect-Accept-Encoding", "Connect-Content-Encoding"),
		ExposedHeaders: append(connectcors.ExposedHeaders(),
			requestIDHeader, "Age", "Cache-Status", "Retry-After", "Idempotency-Replayed", pipeline.OmittedHeader, "WWW-Authenticate", "Connect-Content-Encoding"),
	}).Handler(port)
}

// requestIDHeader returns the id of a call to its caller.
const requestIDHeader = "X-Request-Id"
