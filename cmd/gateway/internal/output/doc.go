// Package output writes the answers of commands: tables for people, JSON and YAML for
// programs. What comes from elsewhere cannot change the terminal that it is shown on.
//
// It imports the messages' reflection, and nothing of the project.
package output
