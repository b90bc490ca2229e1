package textkind

import (
	"fmt"
	"strings"

	optionsv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/options/v1"
)

// DefaultIDCharacters are the characters of the upstream's ids, beside ASCII letters
// and digits.
const DefaultIDCharacters = "_-.:"

// neverInIDs are characters that mean something in a path, in a list of ids, or in what
// a write makes stale.
const neverInIDs = `/\?#%,*$`

// The longest text of each kind, in bytes.
const (
	maxID     = 256
	maxWord   = 256
	maxName   = 512
	maxCursor = 4096
)

const (
	lower  = "abcdefghijklmnopqrstuvwxyz"
	upper  = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	digits = "0123456789"
)

// Alphabets say what the texts of each kind may be. It is immutable.
type Alphabets struct {
	kinds [int(optionsv1.TextKind_TEXT_KIND_FREE) + 1]alphabet
}

// alphabet bounds the texts of a kind. The zero value takes every text.
type alphabet struct {
	set        [4]uint32 // ASCII, a bit a character
	least      int
	most       int    // 0: this is the zero value
	constraint string // "must be …"
}

// CharacterError is the error of [New].
type CharacterError struct {
	// Character is the one that no id can have.
	Character rune
}

// Error names the character.
func (e *CharacterError) Error() string {
	return fmt.Sprintf("%q cannot be a character of ids beside letters and digits", e.Character)
}

// New makes the alphabets. The ids have idCharacters beside ASCII letters and digits.
// It fails with a [*CharacterError] for one that is not visible ASCII, for a letter or a
// digit, and for / \ ? # % , * $, which mean something elsewhere.
func New(idCharacters string) (*Alphabets, error) {
	for _, c := range idCharacters {
		if c <= ' ' || c > '~' || strings.ContainsRune(lower+upper+digits+neverInIDs, c) {
			return nil, &CharacterError{c}
		}
	}
	a := new(Alphabets)
	a.kinds[optionsv1.TextKind_TEXT_KIND_ID] = newAlphabet(lower+upper+digits+idCharacters, 1, maxID,
		fmt.Sprintf("must be an id: 1 to %d ASCII letters, digits and any of %q", maxID, idCharacters))
	a.kinds[optionsv1.TextKind_TEXT_KIND_WORD] = newAlphabet(lower+digits+"_-.:", 1, maxWord,
		fmt.Sprintf("must be a word in lower case: 1 to %d of a-z, 0-9 and any of \"_-.:\"", maxWord))
	a.kinds[optionsv1.TextKind_TEXT_KIND_NAME] = newAlphabet(lower+upper+digits+"_-.:/@+=", 0, maxName,
		fmt.Sprintf("must be a name: at most %d ASCII letters, digits and any of \"_-.:/@+=\"", maxName))
	visible := make([]byte, 0, '~'-' ')
	for c := byte('!'); c <= '~'; c++ {
		visible = append(visible, c)
	}
	a.kinds[optionsv1.TextKind_TEXT_KIND_CURSOR] = newAlphabet(string(visible), 0, maxCursor,
		fmt.Sprintf("must be a cursor: at most %d visible ASCII characters", maxCursor))
	return a, nil
}

func newAlphabet(characters string, least, most int, constraint string) alphabet {
	a := alphabet{least: least, most: most, constraint: constraint}
	for _, c := range []byte(characters) {
		a.set[c/32] |= 1 << (c % 32)
	}
	return a
}

// refuses is what is wrong with a text, without the text; "" for nothing.
func (a *Alphabets) refuses(kind optionsv1.TextKind, text string) string {
	of := &a.kinds[kind]
	if of.most == 0 {
		return ""
	}
	if len(text) < of.least || len(text) > of.most || kind == optionsv1.TextKind_TEXT_KIND_ID && (text == "." || text == "..") {
		return of.constraint
	}
	for i := range len(text) {
		c := text[i]
		if c >= 0x80 || of.set[c/32]&(1<<(c%32)) == 0 {
			return of.constraint
		}
	}
	return ""
}
