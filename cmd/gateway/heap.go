package main

import (
	"context"
	"errors"

	"github.com/admin-gateway/admin-gateway/internal/heapfloor"
)

// beginHeapFloor sets the memory limit of the container, and a floor under the heap for
// the time in which a gateway is built. It is for commands that serve: both are settings
// of the process.
func beginHeapFloor() heapfloor.Floor {
	floor := heapfloor.For(heapfloor.Limit())
	floor.Begin()
	return floor
}

// withHeapFloor runs a gateway, with a floor under the heap as long as it runs.
func withHeapFloor(ctx context.Context, floor heapfloor.Floor, run func(context.Context) error) error {
	keeping, stop := context.WithCancel(context.WithoutCancel(ctx))
	kept := make(chan error, 1)
	go func() { kept <- floor.Run(keeping) }()
	err := run(ctx)
	stop()
	return errors.Join(err, <-kept)
}
