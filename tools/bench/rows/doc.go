// Package rows has the measurements: each starts the servers that it compares, loads them
// in turn, and ends them. It drives the gateway from outside, as a process, and imports
// nothing of the project but the packages beside it.
package rows
