package main

import "log/slog"

// levelVariable can be changed while the gateway runs.
func levelVariable(l LogLevel) *slog.LevelVar {
	v := new(slog.LevelVar)
	v.Set(slog.Level(l))
	return v
}
