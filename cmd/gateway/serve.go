package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
)

type serveCommand struct {
	Config string `help:"Path of gateway.yaml; without it the defaults and the environment count." placeholder:"FILE" type:"existingfile"`
}

// Run serves until a signal.
func (c *serveCommand) Run(ctx context.Context, std streams) error {
	conf, err := loadConfig(c.Config, os.LookupEnv)
	if err != nil {
		return err
	}
	logger := slog.New(slog.NewJSONHandler(std.err, nil))
	key := conf.Upstream.AdminKey.source(logger)
	// A key that cannot be read is an error now, not at the first call.
	if _, err := key.Key(ctx); err != nil {
		return err
	}
	g, err := build(conf.Upstream.BaseURL, key, logger, false)
	if err != nil {
		return fmt.Errorf("config key upstream: %w", err)
	}
	defer g.client.Close()
	doors, err := listen(ctx, conf.Listen, g.doors)
	if err != nil {
		return err
	}
	defer doors.release()
	ops, err := listen(ctx, conf.OpsListen, g.ops)
	if err != nil {
		return err
	}
	defer ops.release()
	logger.InfoContext(ctx, "serving on loopback only: this build cannot tell callers apart, so whoever reaches it acts with the admin key",
		"listen", doors.Addr().String(), "ops_listen", ops.Addr().String(), "upstream", conf.Upstream.BaseURL, "version", version())
	return serve(ctx, doors, ops)
}
