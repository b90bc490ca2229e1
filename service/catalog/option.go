package catalog

// Option changes what [New] compiles.
type Option func(*Catalog) error

// WithExactAnswers makes every mirrored method refuse an answer with a value of another
// type than the schema has, also where that value could be left out.
func WithExactAnswers() Option {
	return func(c *Catalog) error {
		for _, m := range c.Mirrored() {
			m.Endpoint = m.Endpoint.Exactly()
		}
		return nil
	}
}
