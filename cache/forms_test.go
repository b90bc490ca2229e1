package cache

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// jsonOf is an origin of about n bytes that compresses as an answer of the upstream.
func jsonOf(n int) []byte {
	b := []byte(`{"object":"list","data":[`)
	for i := 0; len(b) < n; i++ {
		b = fmt.Appendf(b, `{"object":"organization.project","id":"proj_%08x%08x","name":"Project %d","created_at":%d,"status":"active"},`,
			i*2654435761, i*40503, i, 1_700_000_000+i*977)
	}
	return append(b[:len(b)-1], "]}"...)
}

func upper(of *Forms) func() ([]byte, error) {
	return func() ([]byte, error) {
		origin, err := of.Origin()
		return bytes.ToUpper(origin), err
	}
}

// saved saves a response that came with a converted form under "k", and returns it as
// loaded.
func saved(t *testing.T, s subject, origin []byte, tags Tags) Entry {
	t.Helper()
	e := s.entry("")
	e.Forms = NewConvertedForms(origin, bytes.ToLower(origin), nil)
	if err := s.store.Save(t.Context(), s.key("k"), e, s.snapshot(t, tags)); err != nil {
		t.Fatal(err)
	}
	e, ok, err := s.store.Load(t.Context(), s.key("k"), tags)
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	return e
}

func wantForm(t *testing.T, m *Memory, key Key, of *Forms, form Form, want []byte) {
	t.Helper()
	got, err := m.Form(t.Context(), key.Digest(), of, form, func() ([]byte, error) { return nil, errors.New("built again") })
	if err != nil || !bytes.Equal(got, want) {
		t.Fatalf("form %d = %.40q, %v, want %.40q", form, got, err, want)
	}
}

// Many who ask for a form at the same time share one build, and so do those who come
// after it.
func TestFormIsBuiltOnce(t *testing.T) {
	t.Parallel()
	s, m := newMemorySubject(t)
	tags := s.tags("a")
	e := saved(t, s, jsonOf(2000), tags)
	var builds atomic.Int32
	begun, finish := make(chan struct{}), make(chan struct{})
	ask := func() ([]byte, error) {
		return m.Form(t.Context(), s.key("k").Digest(), e.Forms, Rendered, func() ([]byte, error) {
			if builds.Add(1) == 1 {
				close(begun)
			}
			<-finish
			return []byte("rendered"), nil
		})
	}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if got, err := ask(); err != nil || string(got) != "rendered" {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
	<-begun
	// One whose caller leaves does not wait for the build.
	if _, err := m.Form(cancelled(t), s.key("k").Digest(), e.Forms, Rendered, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("a caller that left got %v", err)
	}
	close(finish)
	all.Wait()
	if _, err := ask(); err != nil || builds.Load() != 1 {
		t.Errorf("%d builds, %v", builds.Load(), err)
	}
	again, ok, err := m.Load(t.Context(), s.key("k"), tags)
	if !ok || err != nil {
		t.Fatal(ok, err)
	}
	wantForm(t, m, s.key("k"), again.Forms, Rendered, []byte("rendered"))
}

// A build that fails or panics is not kept, and the next one who asks builds anew.
func TestFormBuildFails(t *testing.T) {
	t.Parallel()
	s, m := newMemorySubject(t)
	e := saved(t, s, jsonOf(2000), s.tags("a"))
	broken := errors.New("broken")
	if _, err := m.Form(t.Context(), s.key("k").Digest(), e.Forms, Rendered, func() ([]byte, error) { return nil, broken }); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	begun, left := make(chan struct{}), make(chan error)
	go func() {
		<-begun
		// Either it waits for the build that panics, or it finds none and fails itself.
		_, err := m.Form(t.Context(), s.key("k").Digest(), e.Forms, Rendered, func() ([]byte, error) { return nil, errNotBuilt })
		left <- err
	}()
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic was swallowed")
			}
		}()
		_, _ = m.Form(t.Context(), s.key("k").Digest(), e.Forms, Rendered, func() ([]byte, error) { close(begun); panic("bug") })
	}()
	if err := <-left; !errors.Is(err, errNotBuilt) {
		t.Errorf("who waited got %v", err)
	}
	made, err := m.Form(t.Context(), s.key("k").Digest(), e.Forms, Rendered, upper(e.Forms))
	if err != nil || !bytes.Equal(made, bytes.ToUpper(jsonOf(2000))) {
		t.Errorf("got %.20q, %v", made, err)
	}
}

// What is kept is what was asked for, and the origin, packed; and each of these counts.
func TestFormsThatAreKept(t *testing.T) {
	t.Parallel()
	origin := jsonOf(2000)
	converted, rendered := bytes.ToLower(origin), bytes.ToUpper(origin)
	packed := len(pack(origin))
	for name, test := range map[string]struct {
		ask  []Form
		want int // bytes
	}{
		"nobody asked":        {nil, len(origin) + len(converted)},
		"origin":              {[]Form{Origin}, len(origin)},
		"converted":           {[]Form{Converted}, len(converted) + packed},
		"rendered":            {[]Form{Rendered}, len(rendered) + packed},
		"converted, rendered": {[]Form{Converted, Rendered}, len(converted) + len(rendered) + packed},
		"converted, origin":   {[]Form{Converted, Origin}, len(converted) + len(origin)},
		"origin, converted":   {[]Form{Origin, Converted}, len(converted) + len(origin)},
		"all":                 {[]Form{Rendered, Origin, Converted}, len(origin) + len(converted) + len(rendered)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, m := newMemorySubject(t)
			tags := s.tags("a")
			e := saved(t, s, bytes.Clone(origin), tags)
			builds := map[Form]func() ([]byte, error){
				Converted: func() ([]byte, error) { return converted, nil }, Rendered: upper(e.Forms),
			}
			for _, form := range test.ask {
				if _, err := m.Form(t.Context(), s.key("k").Digest(), e.Forms, form, builds[form]); err != nil {
					t.Fatal(err)
				}
			}
			m.entries.CleanUp()
			rest := int(m.bytes()) - test.want
			// Beside the forms there is what an entry takes, and the roundings of allocations.
			if rest < overhead || rest > overhead+test.want/8+300 {
				t.Errorf("weighs %d, which is %d more than its forms of %d", m.bytes(), rest, test.want)
			}
			again, ok, err := m.Load(t.Context(), s.key("k"), tags)
			if !ok || err != nil || !bytes.Equal(again.Body(), origin) || again.Size() != len(origin) {
				t.Errorf("loaded %.40q of %d bytes, %t, %v", again.Body(), again.Size(), ok, err)
			}
			for _, form := range test.ask {
				wantForm(t, m, s.key("k"), again.Forms, form, map[Form][]byte{Origin: origin, Converted: converted, Rendered: rendered}[form])
			}
		})
	}
}

// An entry that was invalidated, replaced or dropped while its form was built does not
// come back.
func TestFormOfWhatIsGone(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		lose func(t *testing.T, s subject, m *Memory, tags Tags)
		want string // "" for a miss
	}{
		"a purge":       {func(t *testing.T, s subject, _ *Memory, tags Tags) { t.Helper(); s.open(t, tags)() }, ""},
		"an open write": {func(t *testing.T, s subject, _ *Memory, tags Tags) { t.Helper(); s.open(t, tags) }, ""},
		"another answer": {func(t *testing.T, s subject, _ *Memory, tags Tags) {
			t.Helper()
			s.advance(time.Second)
			s.put(t, "k", "new", tags)
		}, "new"},
		"a write and another answer": {func(t *testing.T, s subject, _ *Memory, tags Tags) {
			t.Helper()
			s.open(t, tags)()
			s.put(t, "k", "new", tags)
		}, "new"},
		"an eviction": {func(_ *testing.T, s subject, m *Memory, _ Tags) { m.entries.Invalidate(s.key("k").Digest()) }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, m := newMemorySubject(t)
			tags := s.tags("a")
			e := saved(t, s, jsonOf(2000), tags)
			made, err := m.Form(t.Context(), s.key("k").Digest(), e.Forms, Rendered, func() ([]byte, error) {
				test.lose(t, s, m, tags)
				return []byte("of the old one"), nil
			})
			if err != nil || string(made) != "of the old one" {
				t.Errorf("who asked got %q, %v", made, err)
			}
			got, ok, err := m.Load(t.Context(), s.key("k"), tags)
			if err != nil || ok != (test.want != "") {
				t.Fatalf("loaded %.20q, %t, %v", got.Forms.held[Rendered].Load(), ok, err)
			}
			if ok {
				if _, kept := got.Forms.Held(Rendered); kept || string(got.Body()) != test.want {
					t.Errorf("loaded %.20q, with a form of the old one: %t", got.Body(), kept)
				}
			}
			if name == "an eviction" && m.len() != 0 {
				t.Error("what was evicted is back")
			}
		})
	}
}

// Forms are the same however they are asked for, stored and packed, by several at once.
func TestFormsModel(t *testing.T) {
	t.Parallel()
	s, m := newMemorySubject(t)
	tags, number := s.tags("a"), 0
	rapid.Check(t, func(r *rapid.T) {
		number++
		key := s.key(fmt.Sprint(number))
		origin := []byte(strings.Repeat(rapid.String().Draw(r, "part"), rapid.IntRange(1, 50).Draw(r, "times")))
		e := s.entry("")
		want := map[Form][]byte{Origin: origin, Converted: []byte("c" + string(origin)), Rendered: []byte("r" + string(origin))}
		e.Forms = NewForms(bytes.Clone(origin))
		if rapid.Bool().Draw(r, "converted") {
			e.Forms = NewConvertedForms(bytes.Clone(origin), want[Converted], nil)
		}
		var builds [formCount]atomic.Int32
		ask := func(form Form) error {
			got, err := m.Form(t.Context(), key.Digest(), e.Forms, form, func() ([]byte, error) {
				builds[form].Add(1)
				from, err := e.Forms.Origin()
				return append([]byte(map[Form]string{Converted: "c", Rendered: "r"}[form]), from...), err
			})
			if err == nil && !bytes.Equal(got, want[form]) {
				err = fmt.Errorf("form %d is %q, want %q", form, got, want[form])
			}
			return err
		}
		for range rapid.IntRange(1, 12).Draw(r, "steps") {
			if rapid.IntRange(0, 3).Draw(r, "what") == 0 {
				if err := m.Save(t.Context(), key, e, s.snapshot(t, tags)); err != nil {
					r.Fatal(err)
				}
				continue
			}
			asked := rapid.SliceOfN(rapid.SampledFrom([]Form{Origin, Converted, Rendered}), 1, 4).Draw(r, "asked")
			failed := make([]error, len(asked))
			var all sync.WaitGroup
			for i, form := range asked {
				all.Go(func() { failed[i] = ask(form) })
			}
			all.Wait()
			if err := errors.Join(failed...); err != nil {
				r.Fatal(err)
			}
		}
		for form := range builds {
			if n := builds[form].Load(); n > 1 {
				r.Fatalf("form %d was built %d times", form, n)
			}
		}
	})
}
