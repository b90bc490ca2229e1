// Package recordtext says in words what the record of a call says: who called, why it was
// refused, what it waited for. Commands and pages for people show it.
//
// A word that it does not know, such as the reason of another version, it repeats. Values
// are those of the record, which come from callers: who shows a text makes it harmless for
// where it is shown.
//
// It imports the messages, and nothing else of the project.
package recordtext
