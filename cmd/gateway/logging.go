package main

import "log/slog"

// variable can be changed while the gateway runs.
func (l LogLevel) variable() *slog.LevelVar {
	v := new(slog.LevelVar)
	v.Set(slog.Level(l))
	return v
}
