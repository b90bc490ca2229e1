// Package logbuffer keeps the reader of a log out of the way of those who write to it.
//
// A line is put into a [Buffer] and written by its one goroutine, so that nobody waits
// for a pipe that is full or a disk that is slow. The buffer has a bound. A line that
// does not fit is dropped and counted, and a line says how many were; errors have room
// of their own, which other lines do not take. It imports nothing of the project.
package logbuffer
