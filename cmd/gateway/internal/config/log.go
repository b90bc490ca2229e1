package config

import (
	"errors"
	"log/slog"
	"strings"
)

// Log configures the log.
type Log struct {
	Level LogLevel `yaml:"level"`
}

// LogLevel is a [slog.Level], written as debug, info, warn or error.
type LogLevel slog.Level

var errNoLevel = errors.New("not a log level")

// Form describes the notation, for error messages and the reference.
func (LogLevel) Form() string { return "debug, info, warn or error" }

// String returns the notation that UnmarshalText reads.
func (l LogLevel) String() string { return strings.ToLower(slog.Level(l).String()) }

// UnmarshalText reads a level.
func (l *LogLevel) UnmarshalText(text []byte) error {
	for _, level := range []slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError} {
		if strings.EqualFold(level.String(), string(text)) {
			*l = LogLevel(level)
			return nil
		}
	}
	return errNoLevel
}
