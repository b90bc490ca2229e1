// Package money adds up sums of money exactly: the upstream's amounts are decimal numbers
// of up to twenty digits.
//
// It imports nothing of the project.
package money
