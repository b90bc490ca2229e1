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

func (open) Wait(context.Context, string) error             { return nil }
func (open) Limited(context.Context, string, time.Duration) {}

// BenchmarkSender compares a call through a sender with the same call through
// its client alone, over a transport that takes no time: the ratio is what is
// left when there is no network.
func BenchmarkSender(b *testing.B) {
	client := newClient(b, "http://127.0.0.1:1", func(c *upstream.Config) { c.Transport = trivial{} })
	c := getProject(b)
	plain := coldSender(b, client)
	paced := coldSender(b, client, func(o *upstream.SenderOptions) { o.Pacer = open{} })
	for _, run := range []struct {
		name string
		do   func(context.Context, *upstream.Endpoint, *upstream.Request) (*upstream.Reply, error)
	}{{"client", client.Do}, {"sender", plain.Do}, {"sender with a pacer", paced.Do}} {
		b.Run(run.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := run.do(b.Context(), c.endpoint, c.request); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(run.name+", parallel", func(b *testing.B) {
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if _, err := run.do(b.Context(), c.endpoint, c.request); err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
}
