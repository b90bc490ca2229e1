package config

import (
	"errors"
	"log/slog"
	"strings"
)

// Log says what is logged.
type Log struct {
	Level LogLevel `yaml:"level"`
}

// LogLevel is a [slog.Level], written as one of four words.
type LogLevel slog.Level

var errNoLevel = errors.New("no log level")

// Form says how a level is written.
func (LogLevel) Form() string { return "debug, info, warn or error" }

// String is the level as it is written.
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
