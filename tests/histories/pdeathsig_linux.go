package histories

import "syscall"

// endWithUs lets the kernel kill the child when this process dies.
func endWithUs(attributes *syscall.SysProcAttr) { attributes.Pdeathsig = syscall.SIGKILL }
