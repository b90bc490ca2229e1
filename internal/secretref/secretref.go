// Package secretref formats the names of secrets, those of an environment variable and
// of a file, for errors and logs. What a config has in the place of a name may be the
// secret itself: {env: 0123abc…}. Such a name is not printed. It imports nothing of
// the project.
package secretref

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
)

const (
	// Hidden stands for a name that may be a secret.
	Hidden = "(not printed: it looks more like a secret than like a name)"

	// longestName bounds a name that is printed.
	longestName = 64
	// longestWord bounds the letters and digits in a row: names are made of words.
	longestWord = 24
)

// Variable is the name of an environment variable.
type Variable string

var (
	variable = regexp.MustCompile(`^[A-Z_][A-Z0-9_]*$`)
	// path begins with a slash, a dot or a tilde, or ends in an extension of letters. A
	// slash inside is not enough: keys in base64 have some.
	path = regexp.MustCompile(`^([/.]|~/)[A-Za-z0-9_./~-]*$|^[A-Za-z0-9_/~-][A-Za-z0-9_./~-]*\.[a-z]{1,6}$`)
)

// String is the name, where it is in the form that such names have: words of capital
// letters and digits, with underscores.
func (v Variable) String() string {
	if len(v) > longestName || !variable.MatchString(string(v)) || !ofWords(string(v), "_") {
		return Hidden
	}
	return string(v)
}

// Path is the path of a file.
type Path string

// longestPath bounds a path that is printed.
const longestPath = 255

// String is the path, where it has the form of one: it begins as paths do, or ends in
// an extension, none of its elements begins as a key does, and its words are as short
// as those of names. A word without any of that may be a key in base64url, or a UUID.
func (p Path) String() string {
	s := string(p)
	if len(s) > longestPath || !path.MatchString(s) || !ofWords(s, "/._-~") {
		return Hidden
	}
	for element := range strings.SplitSeq(s, "/") {
		if strings.HasPrefix(element, "sk-") || strings.HasPrefix(element, "agw_") {
			return Hidden
		}
	}
	return s
}

// Error is an error about the file, without the path that package os adds to it.
func (p Path) Error(err error) error {
	if of, ok := errors.AsType[*os.PathError](err); ok {
		err = of.Err
	}
	return fmt.Errorf("file %s: %w", p, err)
}

// ofWords returns whether the words between separators are short. Digests, tokens and
// random keys are one long word, or none that is short.
func ofWords(name, separators string) bool {
	for word := range strings.FieldsFuncSeq(name, func(r rune) bool { return strings.ContainsRune(separators, r) }) {
		if len(word) > longestWord {
			return false
		}
	}
	return true
}
