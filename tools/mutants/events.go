package main

import (
	"bytes"
	"encoding/json"
	"strings"
)

// events reads what go test -json prints. It is an [io.Writer] for one process.
type events struct {
	// failed is called when a test has failed, once.
	failed func()

	rest   []byte // The beginning of a line.
	output strings.Builder
	first  string // The first test that failed.
	broken bool
}

// event is a line of go test -json, as far as it counts here.
type event struct {
	Action, Test, Output string
}

// Write takes the next piece of the output.
func (e *events) Write(piece []byte) (int, error) {
	e.rest = append(e.rest, piece...)
	for {
		line, rest, whole := bytes.Cut(e.rest, []byte("\n"))
		if !whole {
			return len(piece), nil
		}
		e.add(string(line))
		e.rest = rest
	}
}

func (e *events) add(line string) {
	var is event
	if json.Unmarshal([]byte(line), &is) != nil { // It is of the go command itself.
		is = event{Output: line + "\n"}
	}
	e.output.WriteString(is.Output)
	switch {
	case is.Action == "build-fail" || strings.Contains(is.Output, "[setup failed]"):
		e.broken = true
	case is.Action == "fail" && is.Test != "" && e.first == "":
		e.first = is.Test
		e.failed()
	}
}

func (e *events) outcome() outcome {
	return outcome{output: e.output.String(), failed: e.first, broken: e.broken}
}
