package main

import (
	"log/slog"

	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/config"
)

// levelVariable can be changed while the gateway runs.
func levelVariable(l config.LogLevel) *slog.LevelVar {
	v := new(slog.LevelVar)
	v.Set(slog.Level(l))
	return v
}
