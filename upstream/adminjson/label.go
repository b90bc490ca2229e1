package adminjson

import "strings"

// OtherMember stands in a [DriftEntry] for every name that does not look like one of the
// API: an answer may have ids, mail addresses or keys where names should be, and an
// entry is shown to all who may see metrics.
const OtherMember = "other"

const (
	// maxLabel bounds a name, in bytes.
	maxLabel = 64
	// maxWord bounds a word of a name, in bytes: letters and digits without an
	// underscore or a capital letter after a small one.
	maxWord = 20
	// maxTurns bounds how often a name turns from letters to digits or back, or from
	// small letters to capital ones. Names have a few turns, random text has many.
	maxTurns = 5
)

// label returns the name of an unknown member where it looks like a name of the API:
// words of letters and digits. Otherwise it returns OtherMember.
func label(name string) string {
	if name == "" || len(name) > maxLabel {
		return OtherMember
	}
	turns, word := 0, 0
	before := other
	for _, b := range []byte(name) {
		class := classOf(b)
		switch {
		case class == other && b != '_':
			return OtherMember
		case class == other:
			word = 0
		case before == small && class == capital:
			turns, word = turns+1, 1
		default:
			word++
			if before != other && (before == digit) != (class == digit) {
				turns++
			}
		}
		if turns > maxTurns || word > maxWord {
			return OtherMember
		}
		before = class
	}
	return strings.Clone(name) // The answer that it is a part of is not kept for it.
}

// class is a kind of character.
type class int

const (
	other class = iota
	small
	capital
	digit
)

func classOf(b byte) class {
	switch {
	case b >= 'a' && b <= 'z':
		return small
	case b >= 'A' && b <= 'Z':
		return capital
	case b >= '0' && b <= '9':
		return digit
	default:
		return other
	}
}
