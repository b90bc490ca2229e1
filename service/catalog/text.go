package catalog

import (
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/admin-gateway/admin-gateway/internal/textkind"
)

// WithIDCharacters sets the characters of the upstream's ids beside ASCII letters and
// digits, for an organization whose ids have others than
// [textkind.DefaultIDCharacters]. It fails for a character that no id can have.
func WithIDCharacters(characters string) Option {
	return func(c *Catalog) error {
		alphabets, err := textkind.New(characters)
		if err != nil {
			return err
		}
		for _, m := range c.methods {
			m.alphabets = alphabets
		}
		return nil
	}
}

// compileTexts plans the check of the request's texts.
func (m *Method) compileTexts() (err error) {
	m.texts, err = textkind.Compile(m.Descriptor.Input())
	return err
}

// CheckTexts finds the first text of a request that is none of its kind, such as an id
// with a space in it; nil for none.
func (m *Method) CheckTexts(request protoreflect.Message) *textkind.Fault {
	return m.texts.Check(m.alphabets, request)
}
