// Package machine starts processes on chosen processors, ends them in every case, and
// reads from /proc what they have used. It imports nothing of the project.
package machine
