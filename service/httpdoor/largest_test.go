package httpdoor_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/test/bufconn"

	"github.com/admin-gateway/admin-gateway/service/httpdoor"
)

// TestLargestHeader: the first request of a client may have the largest header that the
// port takes, with a body behind it. A stranger that had to wait would do so for as long
// as its first call may take.
func TestLargestHeader(t *testing.T) {
	t.Parallel()
	for name, secure := range wires(t) {
		for _, largest := range []int{4 << 10, 64 << 10, 1 << 20} {
			t.Run(fmt.Sprintf("%s, %d KiB", name, largest>>10), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					l := bufconn.Listen(64 << 10)
					serveOn(t, l, authenticating(func(w http.ResponseWriter, r *http.Request) {
						_, _ = io.Copy(io.Discard, r.Body)
						hello(w, r)
					}), httpdoor.Options{TLS: secure, MaxHeaderBytes: largest})
					c := clientOn(t, l, secure)
					ctx, cancel := context.WithTimeout(t.Context(), time.Second)
					defer cancel()
					request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://h/", io.LimitReader(zeros{}, 1<<20))
					if err != nil {
						t.Fatal(err)
					}
					request.Header.Set("Caller", "somebody")
					request.Header.Set("Filler", strings.Repeat("~", largest-1<<10)) // HPACK makes it no shorter.
					response, err := c.RoundTrip(request)
					if err != nil {
						t.Fatal(err)
					}
					_ = response.Body.Close()
					if response.StatusCode != http.StatusOK {
						t.Error(response.Status)
					}
				})
			})
		}
	}
}
