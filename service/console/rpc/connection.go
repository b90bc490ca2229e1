package rpc

import (
	"crypto/tls"
	"time"

	"github.com/admin-gateway/admin-gateway/service/door"
)

// onBehalf is the browser's connection for a call that a page makes. The credential is
// the one that its user has logged in with, and never the certificate of the browser. The
// page looks after its own time.
type onBehalf struct{ of door.Connection }

var _ door.Connection = onBehalf{}

// TLS implements [door.Connection].
func (onBehalf) TLS() *tls.ConnectionState { return nil }

// Trust implements [door.Connection].
func (c onBehalf) Trust(caller string) error { return c.of.Trust(caller) }

// Probe implements [door.Connection].
func (onBehalf) Probe() {}

// Waits implements [door.Connection]: a page sends its requests whole.
func (onBehalf) Waits() bool { return false }

// Interrupt implements [door.Connection].
func (onBehalf) Interrupt() {}

// ExtendTo implements [door.Connection].
func (onBehalf) ExtendTo(time.Time) {}

// AbandonRequest implements [door.Connection].
func (onBehalf) AbandonRequest() {}
