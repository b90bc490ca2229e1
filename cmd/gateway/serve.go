package main

import (
	"context"
	"errors"

	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/build"
)

type serveCommand struct {
	Config string `help:"Path of gateway.yaml; without it the defaults and the environment count." placeholder:"FILE" type:"existingfile"`
}

// Run serves until a signal. A hangup opens the audit file again.
func (c *serveCommand) Run(ctx context.Context, std streams, hangup hangups) (err error) {
	floor := beginHeapFloor()
	conf, err := openConfig(c.Config, std)
	if err != nil {
		return err
	}
	log := build.OpenLog(std.err, conf.Log) //nolint:contextcheck // Its lines outlive the signal.
	defer log.Close()                       //nolint:contextcheck // The same.
	keepLastLines(ctx, log.Flush)
	conf.unknown.Log(ctx, log.Logger)
	g, err := build.New(ctx, build.Options{
		Config: conf.Config, Version: version(), Stdout: std.out, Logger: log.Logger, Level: log.Level, Log: log, ReopenAudit: hangup, Stopping: ctx.Done(),
	})
	if err != nil {
		return conf.places.Locate(err)
	}
	defer func() { err = errors.Join(err, g.Close()) }()
	return withHeapFloor(ctx, floor, g.Run)
}
