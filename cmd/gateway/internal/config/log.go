package config

import (
	"errors"
	"log/slog"
	"strings"
	"time"
)

// Log configures the log.
type Log struct {
	Level LogLevel `yaml:"level"`
	// Calls says which calls have a line.
	Calls LogCalls `yaml:"calls"`
	// Slow is from when on a call is slow. 0: none is.
	Slow time.Duration `yaml:"slow"`
}

func defaultLog() Log { return Log{Calls: LogFailed, Slow: 2 * time.Second} }

func (l *Log) settings() []setting {
	return []setting{
		{"log.level", &l.Level},
		{"log.calls", &l.Calls},
		{"log.slow", &l.Slow},
	}
}

func (l *Log) check(fault func(key, format string, args ...any)) {
	within(fault, "log.slow", l.Slow, 0, time.Hour)
}

// LogCalls says which calls have a line in the log.
type LogCalls string

const (
	// LogFailed are the calls that failed on this side, and the slow ones.
	LogFailed LogCalls = "failed"
	// LogAll are all calls.
	LogAll LogCalls = "all"
	// LogNone are none.
	LogNone LogCalls = "none"
)

var errNoCalls = errors.New("not a kind of calls")

// Form describes the notation, for error messages and the reference.
func (LogCalls) Form() string { return "failed, all or none" }

// String returns the notation that UnmarshalText reads.
func (c LogCalls) String() string { return string(c) }

// UnmarshalText reads one of them.
func (c *LogCalls) UnmarshalText(text []byte) error {
	return readWord(c, text, errNoCalls, LogFailed, LogAll, LogNone)
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
