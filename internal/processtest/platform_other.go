//go:build unix && !linux

package processtest

import "syscall"

// endWithUs does nothing where the kernel cannot do it: a child is left over when
// this process is killed.
func endWithUs(*syscall.SysProcAttr) {}

// Hurry does nothing: only Linux has a priority for each thread.
func Hurry() {}
