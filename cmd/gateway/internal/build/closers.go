package build

import (
	"errors"
	"io"
	"slices"
)

// closers close components in the reverse of the order in which they were opened,
// after a run as after a failed build.
type closers struct{ opened []io.Closer }

// add appends a component whose Close cannot fail.
func (c *closers) add(component interface{ Close() }) {
	c.opened = append(c.opened, infallible{component})
}

// addConnection appends a connection. Its error is dropped: closing fails when the
// connection was already lost, and the run did not fail.
func (c *closers) addConnection(component io.Closer) {
	c.opened = append(c.opened, unreported{component})
}

// addWriter appends a component whose last writes can fail. Its error is returned.
func (c *closers) addWriter(component io.Closer) {
	c.opened = append(c.opened, component)
}

// Close closes every component once. It may be called again.
func (c *closers) Close() error {
	var failed []error
	for _, component := range slices.Backward(c.opened) {
		failed = append(failed, component.Close())
	}
	c.opened = nil
	return errors.Join(failed...)
}

type infallible struct{ component interface{ Close() } }

// Close implements io.Closer.
func (i infallible) Close() error {
	i.component.Close()
	return nil
}

type unreported struct{ component io.Closer }

// Close implements io.Closer.
func (u unreported) Close() error {
	_ = u.component.Close() // See addConnection.
	return nil
}
