// Package complete says how a command line may go on: what a shell offers when somebody
// presses TAB. It reads kong's model of the command line, so that a new command or flag is
// offered without a word here. A flag or argument whose values only the program knows has
// the tag `complete:"kind"`; its values come from [Values].
//
// It imports kong and the standard library.
package complete
