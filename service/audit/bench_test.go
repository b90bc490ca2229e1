package audit

import (
	"io"
	"runtime"
	"testing"
	"time"
)

func BenchmarkAppendLines(b *testing.B) {
	r, buffer := full(), make([]byte, 0, MaxLine)
	b.ReportAllocs()
	for b.Loop() {
		buffer, _ = r.AppendLines(buffer[:0])
	}
	b.SetBytes(int64(len(buffer)))
}

func BenchmarkOffer(b *testing.B) {
	for _, sink := range []struct {
		name    string
		options Options
	}{
		{"memory", Options{Stdout: io.Discard}},
		{"file", Options{Path: b.TempDir() + "/audit.log"}},
	} {
		b.Run(sink.name, func(b *testing.B) {
			l, r := benchmarked(b, sink.options), full()
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					l.Offer(r)
				}
			})
			b.ReportMetric(float64(l.Dropped().Callers)/float64(b.N), "dropped/op")
		})
	}
}

// BenchmarkOfferKept is what the record of a cached read costs on one processor, with
// its way to the file: nothing is dropped, and all are written at the end.
func BenchmarkOfferKept(b *testing.B) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	l, err := Open(Options{Path: b.TempDir() + "/audit.log", Queue: 1 << 30})
	if err != nil {
		b.Fatal(err)
	}
	r := &Record{
		Time: time.Now(), Event: EventCall, RequestID: "req_NEVERGONNAGIVEYOUUPABCDEFG", Caller: "search-bot", Authenticated: "token", Credential: "5a4c17bc1ce9",
		Peer: "192.0.2.7:51234", Method: "admingateway.admin.v1.ProjectService/ListProjects", Permission: "projects.read", Decision: DecisionAllowed,
		Grant: "grants[0]", Code: "ok", Cache: "hit", Duration: 41 * time.Microsecond,
	}
	b.ReportAllocs()
	for b.Loop() {
		l.Offer(r)
	}
	if err := l.Close(b.Context()); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(l.Dropped().Callers)/float64(b.N), "dropped/op")
}

func BenchmarkWrite(b *testing.B) {
	l, r := benchmarked(b, Options{Path: b.TempDir() + "/audit.log"}), full()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := l.Write(b.Context(), r); err != nil {
				b.Error(err)
			}
		}
	})
}

func benchmarked(b *testing.B, options Options) *Log {
	b.Helper()
	l, err := Open(options)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := l.Close(b.Context()); err != nil && b.Context().Err() == nil {
			b.Error(err)
		}
	})
	return l
}
