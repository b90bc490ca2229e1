package ledgertest

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/admin-gateway/admin-gateway/lease"
)

// contractDocuments: of the changes that are made from one version of a document, one is
// made, and what others read is whole; its secret stays with it until it is erased.
func contractDocuments(t *testing.T, s Subject) {
	ctx, first, second := t.Context(), s.Replica(t), s.Replica(t)
	if _, err := first.Document(ctx, "rotation"); !errors.Is(err, lease.ErrNotFound) {
		t.Fatalf("a document that nobody kept: %v", err)
	}
	secret := []byte("sk-of-a-document")
	kept, err := first.PutDocument(ctx, lease.Document{Name: "rotation", Data: []byte(`{"phase":"a"}`), Secret: lease.NewSecret(secret)})
	if err != nil || kept.Version != 1 {
		t.Fatalf("the first version: %d, %v", kept.Version, err)
	}
	if _, err := second.PutDocument(ctx, lease.Document{Name: "rotation"}); !errors.Is(err, lease.ErrConflict) {
		t.Fatalf("a second first version: %v", err)
	}
	read, err := second.Document(ctx, "rotation")
	if err != nil || read.Version != 1 || string(read.Data) != `{"phase":"a"}` || !slices.Equal(read.Secret.Reveal(), secret) {
		t.Fatalf("read %d %s, %v", read.Version, read.Data, err)
	}
	var all sync.WaitGroup
	var made atomic.Int32
	for i := range 8 {
		all.Go(func() {
			change := read
			change.Data = []byte{byte('a' + i)}
			_, err := []lease.Ledger{first, second}[i%2].PutDocument(ctx, change)
			switch {
			case err == nil:
				made.Add(1)
			case !errors.Is(err, lease.ErrConflict):
				t.Error(err)
			}
		})
	}
	all.Wait()
	if read, err = first.Document(ctx, "rotation"); err != nil || made.Load() != 1 || read.Version != 2 {
		t.Fatalf("%d changes of one version were made: version %d, %v", made.Load(), read.Version, err)
	}
	read.Secret = lease.Secret{}
	if _, err := second.PutDocument(ctx, read); err != nil {
		t.Fatal(err)
	}
	if read, err = first.Document(ctx, "rotation"); err != nil || !read.Secret.IsZero() {
		t.Fatalf("a secret that was erased: %v", err)
	}
	for name, wrong := range map[string]lease.Document{
		"no name":        {},
		"a line break":   {Name: "a\nb"},
		"too long":       {Name: "other", Data: []byte(strings.Repeat("x", lease.MaxDocumentBytes+1))},
		"a large secret": {Name: "other", Secret: lease.NewSecret(make([]byte, lease.MaxSecretBytes+1))},
	} {
		if _, err := first.PutDocument(ctx, wrong); !errors.Is(err, lease.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
