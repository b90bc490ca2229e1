// Package peer starts the servers of other projects that a user would pick instead of the
// gateway, as Debian has them. It imports nothing of the project but the package that
// starts processes.
package peer
