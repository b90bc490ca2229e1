package main

import (
	"context"
	"errors"

	"github.com/admin-gateway/admin-gateway/internal/heapfloor"
)

// withHeapFloor runs a gateway with the memory limit of its container, and with a floor
// under the heap as long as it runs. It is for commands that serve: both are settings of
// the process.
func withHeapFloor(ctx context.Context, run func(context.Context) error) error {
	floor := heapfloor.For(heapfloor.Limit())
	keeping, stop := context.WithCancel(context.WithoutCancel(ctx))
	kept := make(chan error, 1)
	go func() { kept <- floor.Run(keeping) }()
	err := run(ctx)
	stop()
	return errors.Join(err, <-kept)
}
