package build

import (
	"errors"
	"io"
	"slices"
)

// closers are the components that have been opened. They are closed in reverse
// order, whether the gateway has run or could not be built.
type closers struct{ opened []io.Closer }

// add takes a component that loses nothing when it is closed.
func (c *closers) add(component interface{ Close() }) {
	c.opened = append(c.opened, infallible{component})
}

// addConnection takes a connection. Closing fails where it was lost before, and
// that is not an error of the run.
func (c *closers) addConnection(component io.Closer) {
	c.opened = append(c.opened, unreported{component})
}

// addWriter takes a component whose last writes can fail.
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
