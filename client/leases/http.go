package leases

import (
	"net/http"
	"strings"
)

// Authorize sends the key of the moment with a request, and calls next. It is a middleware
// of the vendor's SDK, which asks it with each attempt:
//
//	openai.NewClient(option.WithMiddleware(held.Authorize))
func (h *Holder) Authorize(request *http.Request, next func(*http.Request) (*http.Response, error)) (*http.Response, error) {
	request = request.Clone(request.Context())
	request.Header.Set("Authorization", "Bearer "+h.Key().Secret())
	return next(request)
}

// Transport sends the key of the moment with every request to an origin, such as
// https://api.openai.com, and passes other requests on as they are: a redirect takes the
// key nowhere else. base is what sends them; nil stands for http.DefaultTransport.
func (h *Holder) Transport(origin string, base http.RoundTripper) http.RoundTripper {
	if base == nil {
		base = http.DefaultTransport //nolint:forbidigo // As http.Client does.
	}
	return &transport{h, strings.ToLower(strings.TrimSuffix(origin, "/")), base}
}

type transport struct {
	holder *Holder
	origin string
	base   http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (t *transport) RoundTrip(request *http.Request) (*http.Response, error) {
	if strings.ToLower(request.URL.Scheme+"://"+request.URL.Host) != t.origin {
		return t.base.RoundTrip(request)
	}
	return t.holder.Authorize(request, t.base.RoundTrip)
}
