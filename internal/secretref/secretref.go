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
	path     = regexp.MustCompile(`^[A-Za-z0-9_./~-]+$`)
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

// String is the path, where each of its words is as short as those of names are.
func (p Path) String() string {
	if len(p) > longestPath || !path.MatchString(string(p)) || strings.HasPrefix(string(p), "sk-") || !ofWords(string(p), "/._-~") {
		return Hidden
	}
	return string(p)
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
