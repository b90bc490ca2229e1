package main

import (
	"fmt"
	"os"
	"strings"
	"time"

	inventoryv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/inventory/v1"
)

// terminal says whether somebody looks at the output.
func terminal() bool {
	info, err := os.Stdout.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

func heading(text string) {
	if terminal() {
		text = "\x1b[1m" + text + "\x1b[0m"
	}
	fmt.Println("\n" + text)
}

func line(format string, args ...any) { fmt.Printf("  "+format+"\n", args...) }

// bar shows how far an inventory is: a bar that moves on a terminal, lines elsewhere.
type bar struct{ live bool }

func newBar() bar { return bar{terminal()} }

// show is called with each message of progress, about once a second.
func (b bar) show(p *inventoryv1.Progress) {
	text := fmt.Sprintf("%d of %d calls · %d keys", p.GetCallsDone(), p.GetCallsKnown(), p.GetItems())
	if left := p.GetTimeLeft().AsDuration(); left > 0 {
		text += " · " + left.Round(100*time.Millisecond).String() + " left"
	}
	if !b.live {
		line("%s", text)
		return
	}
	const width = 32
	eighths := 0
	if known := p.GetCallsKnown(); known > 0 {
		eighths = int(p.GetCallsDone() * width * 8 / known)
	}
	filled := strings.Repeat("█", eighths/8)
	if eighths%8 > 0 {
		filled += string([]rune("▏▎▍▌▋▊▉")[eighths%8-1])
	}
	empty := strings.Repeat("·", width-len([]rune(filled)))
	fmt.Printf("\r\x1b[K  \x1b[36m%s\x1b[2m%s\x1b[0m %s", filled, empty, text)
}

// clear makes room for the result.
func (b bar) clear() {
	if b.live {
		fmt.Print("\r\x1b[K")
	}
}
