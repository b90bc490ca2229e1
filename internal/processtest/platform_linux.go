package processtest

import (
	"os"
	"strconv"
	"syscall"
)

// endWithUs lets the kernel kill the child when this process dies.
func endWithUs(attributes *syscall.SysProcAttr) { attributes.Pdeathsig = syscall.SIGKILL }

// ahead is a priority before that of ordinary processes. On a busy machine a proxy or
// a Redis that has to wait for a processor looks like a fault.
const ahead = -10

// Hurry gives this process priority, and so all that it starts from then on, where it
// may do so.
func Hurry() {
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return // All works without, too.
	}
	for _, thread := range threads {
		if id, err := strconv.Atoi(thread.Name()); err == nil {
			_ = syscall.Setpriority(syscall.PRIO_PROCESS, id, ahead) // Not everybody may.
		}
	}
}
