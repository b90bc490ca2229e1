//go:build unix

package histories

import "github.com/admin-gateway/admin-gateway/internal/processtest"

// Replica is one gateway of a cluster, with its way to Redis.
type Replica struct {
	*processtest.Gateway

	token string
	Proxy *Proxy
}
