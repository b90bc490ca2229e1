package machine

import (
	"fmt"
	"os"
	"runtime"
	"strconv"

	"golang.org/x/sys/unix"
)

// Processors says who runs where. The server under test has a processor to itself, so
// that load and upstream take no time from it.
type Processors struct {
	// Server is the processor of the server, and Others has those of everything else,
	// as taskset lists them. Both are empty where there is one processor.
	Server, Others string
}

// Divide gives the first processor to the server and the rest to everything else, and
// moves this process there.
func Divide() (Processors, error) {
	all := runtime.NumCPU()
	if all < 2 {
		return Processors{}, nil
	}
	var others unix.CPUSet
	for i := 1; i < all; i++ {
		others.Set(i)
	}
	// The affinity is a thread's; those that start later inherit it.
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return Processors{}, err
	}
	for _, thread := range threads {
		id, err := strconv.Atoi(thread.Name())
		if err != nil {
			return Processors{}, err
		}
		if err := unix.SchedSetaffinity(id, &others); err != nil {
			return Processors{}, fmt.Errorf("move to the processors of the load: %w", err)
		}
	}
	return Processors{Server: "0", Others: fmt.Sprintf("1-%d", all-1)}, nil
}
