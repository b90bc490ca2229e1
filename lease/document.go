package lease

// MaxDocumentBytes is the length of the longest [Document].
const MaxDocumentBytes = 64 << 10

// Document is something that the gateway keeps beside its leases, and changes as a
// whole, such as how far it has come with the rotation of its own key. The ledger does
// not look into it.
type Document struct {
	// Name is what it is known by: a constant of the code.
	Name string
	// Version is 0 of one that is not kept yet, and grows by one with each change.
	Version uint64
	// Data is text: JSON, without any secret.
	Data []byte
	// Secret is kept with it, sealed. It is replaced with the rest: none erases the one
	// before.
	Secret Secret
}

// Validate returns an [InvalidError] if the document cannot be.
func (d *Document) Validate() error {
	switch {
	case d.Name == "":
		return invalid("document name", "is missing")
	case len(d.Data) > MaxDocumentBytes:
		return invalid("document", "is too long")
	case len(d.Secret.Reveal()) > MaxSecretBytes:
		return invalid("secret", "is too long")
	}
	return validateText("document name", d.Name, MaxNameBytes)
}
