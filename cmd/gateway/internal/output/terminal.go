package output

import (
	"io"
	"os"

	"golang.org/x/term"
)

// Width is how many characters a line of a terminal has, and 0 where w is none.
func Width(w io.Writer) int {
	file, ok := w.(*os.File)
	if !ok {
		return 0
	}
	width, _, err := term.GetSize(int(file.Fd()))
	if err != nil {
		return 0
	}
	return width
}

// Terminal says whether a reader or writer is one.
func Terminal(stream any) bool {
	file, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}
