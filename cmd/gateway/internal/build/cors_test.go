package build

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/config"
	"github.com/admin-gateway/admin-gateway/service/httpdoor"
)

// TestCORSIsOffByDefault: without origins the handler is not wrapped.
func TestCORSIsOffByDefault(t *testing.T) {
	t.Parallel()
	handler := httpdoor.New(http.NotFoundHandler(), httpdoor.Options{})
	if got := allowOrigins(config.CORS{MaxAge: time.Hour}, handler); got != http.Handler(handler) {
		t.Errorf("the handler is wrapped: %T", got)
	}
}

// TestCredentialsAreAskedFor: the config decides whether pages may send credentials.
func TestCredentialsAreAskedFor(t *testing.T) {
	t.Parallel()
	w := httptest.NewRecorder()
	request := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody)
	request.Header.Set("Origin", "https://a.example")
	allowOrigins(config.CORS{AllowedOrigins: []string{"https://a.example"}, AllowCredentials: true}, http.NotFoundHandler()).ServeHTTP(w, request)
	if w.Header().Get("Access-Control-Allow-Credentials") != "true" {
		t.Errorf("answered %v", w.Header())
	}
}
