package cache

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"unsafe"
)

// Form is one of the forms of a response. What a form is, its makers know: to this
// package all of them are bytes.
type Form uint8

const (
	// Origin is the form that the fetch gave. All others can be made of it.
	Origin Form = iota
	// Converted is the form that a [Converter] makes of the origin. It exists for
	// each stored response, or the response would not be stored.
	Converted
	// Rendered is a form that is made of the others when it is asked for.
	Rendered

	formCount
)

// errNotBuilt is the error for those who waited for a form whose build panicked.
var errNotBuilt = errors.New("cache: the build of a form panicked")

// Forms is a response in its forms. It may be used from any goroutine; the bytes that
// it returns must not be modified.
//
// A form is kept once it was asked for, and is built once, however many ask at the
// same time. What nobody has asked for, when somebody has asked for something else, is
// given up, but for the origin: from then on that is packed, as long as it is not the
// form that is asked for. Only a response that a [Memory] stores is packed, because
// only there it lasts.
type Forms struct {
	notes []string
	// way names how the origin was converted; "" if that is not known.
	way string
	// asked has a bit for each form that was asked for. Such a form, once held, is
	// held for good, so that readers need no lock.
	asked atomic.Uint32
	held  [formCount]atomic.Pointer[[]byte]

	mu     sync.Mutex
	stored bool
	packed []byte // the origin, where it is not held, or once it was encoded
	builds *formBuild
}

// formBuild is a build that is under way, in a list of at most one for each form.
type formBuild struct {
	form Form
	done chan struct{} // closed when bytes and err are set
	made []byte
	err  error
	next *formBuild
}

// NewForms returns a response of which there is the origin alone, with a few short
// remarks on it.
func NewForms(origin []byte, notes ...string) *Forms {
	f := &Forms{notes: notes}
	f.held[Origin].Store(&origin)
	return f
}

// NewConvertedForms returns a response that was converted.
func NewConvertedForms(origin, converted []byte, notes []string) *Forms {
	f := NewForms(origin, notes...)
	f.held[Converted].Store(&converted)
	return f
}

// Notes are the remarks on the response.
func (f *Forms) Notes() []string { return f.notes }

// Asked returns a form that is held and was asked for before. It does not wait.
func (f *Forms) Asked(form Form) ([]byte, bool) {
	if f.asked.Load()&(1<<form) == 0 {
		return nil, false
	}
	if held := f.held[form].Load(); held != nil {
		return *held, true
	}
	return nil, false
}

// Held returns a form that is held, without asking for it: for the build of another.
func (f *Forms) Held(form Form) ([]byte, bool) {
	if held := f.held[form].Load(); held != nil {
		return *held, true
	}
	return nil, false
}

// Origin returns the origin without asking for it: for the build of another form. The
// error is about an origin that came packed, and damaged.
func (f *Forms) Origin() ([]byte, error) {
	f.mu.Lock()
	packed := f.packed
	held := f.held[Origin].Load()
	f.mu.Unlock()
	if held != nil {
		return *held, nil
	}
	return unpack(packed)
}

// originSize is the length of the origin, in bytes.
func (f *Forms) originSize() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	if held := f.held[Origin].Load(); held != nil {
		return len(*held)
	}
	return unpackedSize(f.packed)
}

// isTooLarge reports whether a form is longer than [MaxBodyBytes].
func (f *Forms) isTooLarge() bool {
	if f.originSize() > MaxBodyBytes {
		return true
	}
	converted, _ := f.Held(Converted)
	return len(converted) > MaxBodyBytes
}

// ask returns a form, and keeps it. Where it is not held, build makes it; for the
// origin build is not called. Whoever asks meanwhile waits for the same build, until
// ctx ends. changed reports whether other bytes are held than before.
func (f *Forms) ask(ctx context.Context, form Form, build func() ([]byte, error)) (made []byte, changed bool, err error) {
	f.mu.Lock()
	if held := f.held[form].Load(); held != nil {
		changed = f.keep(form)
		// What is kept may have been trimmed.
		held = f.held[form].Load()
		f.mu.Unlock()
		return *held, changed, nil
	}
	for b := f.builds; b != nil; b = b.next {
		if b.form != form {
			continue
		}
		f.mu.Unlock()
		select {
		case <-b.done:
			return b.made, false, b.err
		case <-ctx.Done():
			return nil, false, ctx.Err()
		}
	}
	if form == Origin {
		build = f.Origin
	}
	b := &formBuild{form: form, done: make(chan struct{}), err: errNotBuilt, next: f.builds}
	f.builds = b
	f.mu.Unlock()
	defer f.end(b)
	b.made, b.err = build()
	return b.made, b.err == nil, b.err
}

// end ends a build, also one that panics.
func (f *Forms) end(b *formBuild) {
	f.mu.Lock()
	for at := &f.builds; *at != nil; at = &(*at).next {
		if *at == b {
			*at = b.next
			break
		}
	}
	if b.err == nil {
		b.made = trim(b.made)
		f.held[b.form].Store(&b.made)
		f.keep(b.form)
	}
	f.mu.Unlock()
	close(b.done)
}

// keep notes that a form was asked for. It reports whether it was the first time. The
// lock is held.
func (f *Forms) keep(form Form) (first bool) {
	if f.asked.Load()&(1<<form) != 0 {
		return false
	}
	f.asked.Or(1 << form)
	f.tidy()
	return true
}

// store notes that the response is stored for long.
func (f *Forms) store() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stored = true
	f.tidy()
}

// tidy gives up what nobody has asked for, and packs the origin. The lock is held.
func (f *Forms) tidy() {
	asked := f.asked.Load()
	if !f.stored || asked == 0 {
		return
	}
	for form := Origin + 1; form < formCount; form++ {
		if asked&(1<<form) == 0 {
			f.held[form].Store(nil)
		}
	}
	origin := f.held[Origin].Load()
	switch {
	case origin == nil:
	case asked&(1<<Origin) != 0:
		f.packed = nil
		trimmed := trim(*origin)
		f.held[Origin].Store(&trimmed)
	default:
		f.packOrigin()
		f.held[Origin].Store(nil)
	}
}

// packOrigin returns the origin, packed. The lock is held.
func (f *Forms) packOrigin() []byte {
	if f.packed == nil {
		f.packed = pack(*f.held[Origin].Load())
	}
	return f.packed
}

// wasConverted reports whether the response was converted in this way.
func (f *Forms) wasConverted(way string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return way != "" && f.way == way && f.held[Converted].Load() != nil
}

// convertedBy notes in which way the response was converted.
func (f *Forms) convertedBy(way string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.way = way
}

// convertedTo returns the response with what its origin was converted to, in a way.
func (f *Forms) convertedTo(converted []byte, notes []string, way string) *Forms {
	f.mu.Lock()
	defer f.mu.Unlock()
	to := &Forms{notes: notes, way: way, packed: f.packed}
	to.held[Origin].Store(f.held[Origin].Load())
	to.held[Converted].Store(&converted)
	return to
}

// size is the memory that the response takes, in bytes.
func (f *Forms) size() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	size := int(unsafe.Sizeof(Forms{})) + allocated(cap(f.packed))
	for form := range f.held {
		if held := f.held[form].Load(); held != nil {
			size += int(unsafe.Sizeof(*held)) + allocated(cap(*held))
		}
	}
	for _, note := range f.notes {
		size += int(unsafe.Sizeof(note)) + allocated(len(note))
	}
	return size
}

// trim returns the bytes in an allocation of about their length, where they are in a
// larger one.
func trim(b []byte) []byte {
	if cap(b)-len(b) <= len(b)/16 {
		return b
	}
	return bytes.Clone(b)
}
