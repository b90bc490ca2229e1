package config

import "slices"

// readWord reads a value that is one of some words; otherwise it fails with unknown.
func readWord[T ~string](into *T, text []byte, unknown error, words ...T) error {
	if !slices.Contains(words, T(text)) {
		return unknown
	}
	*into = T(text)
	return nil
}
