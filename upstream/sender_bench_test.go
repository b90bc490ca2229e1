package upstream_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/admin-gateway/admin-gateway/upstream"
)

// trivial is a transport that answers at once.
type trivial struct{}

func (trivial) RoundTrip(*http.Request) (*http.Response, error) { return answered(200, `{}`), nil }

// open is a pacer that has budget.
type open struct{}

func (open) Wait(context.Context, string) (func(context.Context, time.Duration), error) {
	return func(context.Context, time.Duration) {}, nil
}

// BenchmarkSender compares calls through a sender with the same calls through
// its client alone, in turns of a hundred, over a transport that takes no time:
// the ratio is of the fastest turns of either, so that a busy machine does not
// decide it.
func BenchmarkSender(b *testing.B) {
	client := newClient(b, "http://127.0.0.1:1", func(c *upstream.Config) { c.Transport = trivial{} })
	c := getProject(b)
	turn := func(sends upstream.Attempter) time.Duration {
		began := time.Now()
		for range 100 {
			if _, err := sends.Do(b.Context(), c.endpoint, c.request); err != nil {
				b.Fatal(err)
			}
		}
		return time.Since(began)
	}
	for name, sender := range map[string]*upstream.Sender{
		"alone":        coldSender(b, client),
		"with a pacer": coldSender(b, client, func(o *upstream.SenderOptions) { o.Pacer = open{} }),
	} {
		b.Run(name, func(b *testing.B) {
			plain, sent := time.Hour, time.Hour
			for b.Loop() {
				plain, sent = min(plain, turn(client)), min(sent, turn(sender))
			}
			b.ReportMetric(float64(sent)/float64(plain), "x-client")
			b.ReportMetric(float64(sent-plain)/100, "ns-more/call")
		})
	}
}
