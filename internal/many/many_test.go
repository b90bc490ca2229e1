package many

import (
	"math/rand/v2"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestTextsStayAsTheyWere: what was kept is the text, whatever is kept behind it, and
// however long it is.
func TestTextsStayAsTheyWere(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var texts Texts
		var want, got []string
		for range rapid.IntRange(0, 40).Draw(t, "texts") {
			text := strings.Repeat(rapid.String().Draw(t, "text"), rapid.SampledFrom([]int{0, 1, 7, 300}).Draw(t, "times"))
			want = append(want, text)
			got = append(got, texts.Keep(text))
		}
		for i, text := range want {
			if got[i] != text {
				t.Fatalf("text %d is %q, was %q", i, got[i], text)
			}
		}
	})
}

// TestTextsAreInFewBlocks: a thousand short texts take some blocks.
func TestTextsAreInFewBlocks(t *testing.T) { //nolint:paralleltest // It counts allocations.
	texts := make([]string, 1000)
	for i := range texts {
		texts[i] = strings.Repeat("x", 1+rand.IntN(30))
	}
	if n := testing.AllocsPerRun(10, func() {
		var kept Texts
		for _, text := range texts {
			kept.Keep(text)
		}
	}); n > 20 {
		t.Errorf("%.0f allocations for %d texts", n, len(texts))
	}
}

// TestListNeverMoves: an element is where it was when it was added.
func TestListNeverMoves(t *testing.T) {
	t.Parallel()
	type element struct {
		number int
		_      [50]byte
	}
	var list List[element]
	var added []*element
	for i := range 1000 {
		number, e := list.Add()
		if number != i || e.number != 0 || list.Len() != i+1 {
			t.Fatalf("element %d has the number %d, of %d: %+v", i, number, list.Len(), e)
		}
		e.number = i
		added = append(added, e)
	}
	for i, e := range added {
		if list.At(i) != e || e.number != i {
			t.Fatalf("element %d: %p and %p, %d", i, list.At(i), e, e.number)
		}
	}
	var large List[[3 * blockBytes]byte]
	large.Add()
	if _, second := large.Add(); second == large.At(0) || second != large.At(1) {
		t.Error("two elements that are larger than a block are one")
	}
	var empty List[struct{}]
	if number, _ := empty.Add(); number != 0 || empty.Len() != 1 {
		t.Error("an element without a size has no place")
	}
}
