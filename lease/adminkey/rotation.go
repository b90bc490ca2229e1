package adminkey

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/admin-gateway/admin-gateway/lease"
)

// Phase says how far a rotation has come.
type Phase string

// The phases, in their order. Doubtful and Discarding lead to Failed.
const (
	// Planned: nothing was asked of the upstream yet.
	Planned Phase = "planned"
	// Creating: the new key is asked for, once.
	Creating Phase = "creating"
	// Proving: the new key is there and kept, and is compared with the old one.
	Proving Phase = "proving"
	// Switching: every replica writes the new key into its file, and uses it. From here
	// on there is no way back.
	Switching Phase = "switching"
	// Draining: nobody should use the old key any more.
	Draining Phase = "draining"
	// Done: the old key is deleted.
	Done Phase = "done"
	// Doubtful: nobody knows whether the new key was made. It is looked for.
	Doubtful Phase = "doubtful"
	// Discarding: the new key must not be used, and is deleted.
	Discarding Phase = "discarding"
	// Failed: the old key stays in use.
	Failed Phase = "failed"
)

// Final tells whether nothing more happens.
func (p Phase) Final() bool { return p == "" || p == Done || p == Failed }

// Failure says why a rotation has failed, or is going to.
type Failure string

// The failures.
const (
	// NotCreated: the upstream refused to make a key.
	NotCreated Failure = "not_created"
	// AnswerLost: the answer with the new key was lost, and the key was deleted, or was
	// not seen for as long as it was looked for.
	AnswerLost Failure = "answer_lost"
	// Narrower: the new key may not do what the old one may.
	Narrower Failure = "narrower"
	// Wider: the new key may do what the old one may not.
	Wider Failure = "wider"
	// KeyChanged: no replica has the old key any more.
	KeyChanged Failure = "key_changed"
)

// Rotation is a rotation, as the ledger keeps it beside the new key. It has no secret.
type Rotation struct {
	// ID is drawn. RequestID is that of the command, Caller whose it was.
	ID        string `json:"id"`
	RequestID string `json:"request_id"`
	Caller    string `json:"caller"`
	// AllowWider accepts a new key that may do more than the old one.
	AllowWider bool `json:"allow_wider,omitempty"`

	// Phase is where it is, Since when; Started and Ended are its beginning and its end.
	Phase   Phase     `json:"phase"`
	Since   time.Time `json:"since"`
	Started time.Time `json:"started"`
	Ended   time.Time `json:"ended,omitzero"`
	// Failure says why it failed, and Reads the reads that the two keys differ in.
	Failure Failure  `json:"failure,omitempty"`
	Reads   []string `json:"reads,omitempty"`

	// Name is the name of the new key upstream, NewKeyID its id, OldKeyID that of the
	// old one.
	Name     string `json:"name"`
	NewKeyID string `json:"new_key_id,omitempty"`
	OldKeyID string `json:"old_key_id"`
	// OldDigest is the digest of the old key, by which replicas know it.
	OldDigest string `json:"old_digest"`
	// SendBefore is the time after which the new key is not asked for any more.
	SendBefore time.Time `json:"send_before,omitzero"`
	// OldLastUsed is when the upstream says that the old key was used last.
	OldLastUsed time.Time `json:"old_last_used,omitzero"`

	// Trouble says in words why the last step was not made, Next when it is tried again,
	// and Attempts how often it was tried.
	Trouble  string    `json:"trouble,omitempty"`
	Next     time.Time `json:"next,omitzero"`
	Attempts int       `json:"attempts,omitempty"`

	// Worker is the replica that works on it, until WorkerUntil.
	Worker      string    `json:"worker,omitempty"`
	WorkerUntil time.Time `json:"worker_until,omitzero"`
	// Past are requests that were answered by rotations before, the latest last.
	Past []string `json:"past,omitempty"`
}

// maxPast is how many requests are remembered.
const maxPast = 32

// documentName is the name of the document of the rotation in the ledger.
const documentName = "admin_key.rotation"

// kept is a rotation with the document that it came from.
type kept struct {
	Rotation

	// next is the new key; none until it was made, and after the end.
	next    lease.Secret
	version uint64
}

// decode returns what is in a document.
func decode(d lease.Document) (kept, error) {
	k := kept{next: d.Secret, version: d.Version}
	if err := json.Unmarshal(d.Data, &k.Rotation); err != nil {
		return k, fmt.Errorf("adminkey: the rotation in the ledger cannot be read: %w", err)
	}
	return k, nil
}

func (k *kept) document() (lease.Document, error) {
	data, err := json.Marshal(k.Rotation)
	return lease.Document{Name: documentName, Version: k.version, Data: data, Secret: k.next}, err
}

// enter moves the rotation to a phase. Who works on it keeps it, unless it is over.
func (k *kept) enter(p Phase, at time.Time) {
	k.Phase, k.Since, k.Trouble, k.Next, k.Attempts = p, at, "", time.Time{}, 0
	if p.Final() {
		k.Ended, k.Worker, k.WorkerUntil, k.next = at, "", time.Time{}, lease.Secret{}
	}
}

// fail moves the rotation to a phase that leads to its failure, or is it.
func (k *kept) fail(p Phase, why Failure, at time.Time) {
	k.Failure = why
	k.enter(p, at)
}

// isOld tells whether a key is the one that is replaced.
func (r *Rotation) isOld(key lease.Secret) bool { return r.OldDigest == digest(r.ID, key) }

// isNew tells whether a key is the one that replaces it.
func (k *kept) isNew(key lease.Secret) bool {
	return !k.next.IsZero() && digest(k.ID, key) == digest(k.ID, k.next)
}

// digest is bound to the rotation: that of the same key in another one is another.
func digest(id string, key lease.Secret) string {
	sum := sha256.Sum256(slices.Concat([]byte("admin-gateway rotation\x00"+id+"\x00"), key.Reveal()))
	return hex.EncodeToString(sum[:])
}
