package audit

import (
	"io"
	"testing"
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
