package complete

import (
	_ "embed"
	"strings"
	"unicode"
)

//go:embed scripts/gateway.bash
var bash string

//go:embed scripts/gateway.zsh
var zsh string

//go:embed scripts/gateway.fish
var fish string

// Script returns the script that a shell runs to complete the program's command lines; "" for
// a shell that is not bash, zsh or fish. It runs the hidden command __complete.
func Script(shell string) string {
	switch shell {
	case "bash":
		return bash
	case "zsh":
		return zsh
	case "fish":
		return fish
	default:
		return ""
	}
}

// FilesLine is the line of a written reply that asks for names of files.
const FilesLine = ":files"

// Lines writes a reply for the scripts: a candidate each line, its help behind a tab. Words
// with a character that would need quotes are left out: no name has one.
func (r Reply) Lines() string {
	var lines strings.Builder
	if r.Files {
		lines.WriteString(FilesLine + "\n")
	}
	for _, c := range r.Candidates {
		if strings.ContainsFunc(c.Word, needsQuotes) {
			continue
		}
		lines.WriteString(c.Word)
		if help := strings.Map(visible, c.Help); help != "" {
			lines.WriteString("\t" + help)
		}
		lines.WriteByte('\n')
	}
	return lines.String()
}

func needsQuotes(r rune) bool {
	return r > unicode.MaxASCII || unicode.IsControl(r) || strings.ContainsRune(" \t\"'\\`$&|;<>(){}[]*?!#~^", r)
}

func visible(r rune) rune {
	if !unicode.IsPrint(r) {
		return -1
	}
	return r
}

// Behind removes from each word what a shell takes for words of its own: bash ends a word at
// each of its breaks ($COMP_WORDBREAKS), and replaces only what stands behind the last one.
func (r Reply) Behind(word, breaks string) Reply {
	at := 0
	if breaks != "" {
		at = strings.LastIndexAny(word, breaks) + 1
	}
	words := make([]Candidate, 0, len(r.Candidates))
	for _, c := range r.Candidates {
		words = append(words, Candidate{c.Word[min(at, len(c.Word)):], c.Help})
	}
	return Reply{words, r.Files}
}

// Split splits a line of a shell into words as a shell does, without any expansion: bash gives
// its functions words that are cut at = and :, and the line. The last word is the one that the
// line ends in, and is empty behind a space.
func Split(line string) []string {
	words, word := []string{}, strings.Builder{}
	quote, escaped, begun := rune(0), false, false
	for _, r := range line {
		switch {
		case escaped:
			word.WriteRune(r)
			escaped = false
		case r == '\\' && quote != '\'':
			escaped, begun = true, true
		case quote != 0 && r == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(r)
		case r == '\'' || r == '"':
			quote, begun = r, true
		case unicode.IsSpace(r):
			if begun {
				words = append(words, word.String())
			}
			word.Reset()
			begun = false
		default:
			word.WriteRune(r)
			begun = true
		}
	}
	return append(words, word.String())
}
