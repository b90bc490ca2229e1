package adminjson_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/admin-gateway/admin-gateway/upstream/adminjson"
)

func TestDrift(t *testing.T) {
	t.Parallel()
	var drift adminjson.Drift
	codec, m := message(t, "All", adminjson.WithDrift(&drift))
	for _, json := range []string{
		`{"id":"a","note":null,"names":null,"child":null}`, // Nothing that the schema lacks.
		`{"new":{"new":1},"child":{"new":2},"id":null}`,
		`{"new":[],"color":"mauve","hues":["mauve","red"],"names":[null]}`,
		`{"text":"a","number":1,"object":null}`,
		`{"on":1,"numbers":["x","x",1],"children":[{"size":"x"}]}`,
		"{\"\\u001b[31m" + strings.Repeat("é", 99) + "\":1}",
	} {
		if err := codec.Unmarshal([]byte(json), m); err != nil {
			t.Fatal(err)
		}
	}
	// A request that is refused says nothing about answers.
	if err := codec.UnmarshalStrict([]byte(`{"newer":1}`), m); err == nil {
		t.Error("an unknown member was read")
	}
	want := []adminjson.DriftEntry{
		{Message: "test.All", Member: "color", Kind: adminjson.UnknownEnum, Count: 1},
		{Message: "test.All", Member: "hues", Kind: adminjson.UnknownEnum, Count: 1},
		{Message: "test.All", Member: "id", Kind: adminjson.UnexpectedNull, Count: 1},
		{Message: "test.All", Member: "names", Kind: adminjson.UnexpectedNull, Count: 1},
		{Message: "test.All", Member: "new", Kind: adminjson.UnknownField, Count: 2},
		{Message: "test.All", Member: "number", Kind: adminjson.SecondOneof, Count: 1},
		{Message: "test.All", Member: "numbers", Kind: adminjson.TypeMismatch, Count: 2},
		{Message: "test.All", Member: "on", Kind: adminjson.TypeMismatch, Count: 1},
		{Message: "test.All", Member: adminjson.OtherMember, Kind: adminjson.UnknownField, Count: 1},
		{Message: "test.Child", Member: "new", Kind: adminjson.UnknownField, Count: 1},
		{Message: "test.Child", Member: "size", Kind: adminjson.TypeMismatch, Count: 1},
	}
	if diff := cmp.Diff(want, drift.Snapshot()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestDriftIsBounded(t *testing.T) {
	t.Parallel()
	var drift adminjson.Drift
	codec, _ := message(t, "Child", adminjson.WithDrift(&drift))
	const names, readers = adminjson.MaxDriftEntries + 100, 4
	var readersDone sync.WaitGroup
	for range readers {
		readersDone.Go(func() {
			for i := range names {
				if _, err := codec.AppendWire(nil, fmt.Appendf(nil, `{"x%d":1}`, i)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	readersDone.Wait()
	entries := drift.Snapshot()
	total := drift.Dropped()
	for _, e := range entries {
		total += e.Count
	}
	if len(entries) != adminjson.MaxDriftEntries || total != names*readers {
		t.Errorf("got %d entries and %d differences, want %d and %d", len(entries), total, adminjson.MaxDriftEntries, names*readers)
	}
}
