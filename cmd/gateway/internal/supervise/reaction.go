package supervise

import (
	"fmt"
	"os"
)

// Reaction is what to do with a program whose environment has changed. The zero value
// does nothing.
type Reaction struct {
	restart bool
	signal  os.Signal
}

// ParseReaction reads a reaction: "restart", "none", or the name of a signal, such as
// "SIGHUP".
func ParseReaction(text string) (Reaction, error) {
	switch text {
	case "restart":
		return Reaction{restart: true}, nil
	case "none":
		return Reaction{}, nil
	}
	signal, err := signalNamed(text)
	if err != nil {
		return Reaction{}, fmt.Errorf("%q is neither restart nor none nor a signal: %w", text, err)
	}
	return Reaction{signal: signal}, nil
}

// Restarts says whether the program is started anew, and so gets its new environment.
func (r Reaction) Restarts() bool { return r.restart }
