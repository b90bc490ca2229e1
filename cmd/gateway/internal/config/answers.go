package config

import "errors"

// Answers is what becomes of an answer of the upstream with a value that does not fit.
type Answers string

const (
	// AnswersLenient leaves the value out and delivers the rest.
	AnswersLenient Answers = "lenient"
	// AnswersStrict refuses the answer.
	AnswersStrict Answers = "strict"
)

var errNoAnswers = errors.New("not a way to read answers")

// Form describes the notation, for error messages and the reference.
func (Answers) Form() string { return "lenient or strict" }

// String returns the notation that UnmarshalText reads.
func (a Answers) String() string { return string(a) }

// UnmarshalText reads one of the two.
func (a *Answers) UnmarshalText(text []byte) error {
	return readWord(a, text, errNoAnswers, AnswersLenient, AnswersStrict)
}
