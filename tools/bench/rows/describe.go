package rows

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/admin-gateway/admin-gateway/tools/bench/report"
)

var (
	processorName = regexp.MustCompile(`(?m)^model name\s*: (.*)$`)
	versionNumber = regexp.MustCompile(`\d+\.\d+(\.\d+)?`)
)

// describe says where and with what a run is made. What cannot be found out is left out.
func describe(ctx context.Context) report.Machine {
	m := report.Machine{Processors: runtime.NumCPU(), Programs: []string{runtime.Version()}}
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		if match := processorName.FindSubmatch(text); match != nil {
			m.Processor = strings.TrimSpace(string(match[1]))
		}
	}
	var info unix.Sysinfo_t
	if err := unix.Sysinfo(&info); err == nil {
		m.Load = float64(info.Loads[0]) / (1 << 16)
		m.MemoryGiB = float64(info.Totalram) * float64(info.Unit) / (1 << 30)
	}
	var names unix.Utsname
	if err := unix.Uname(&names); err == nil {
		m.Kernel = "Linux " + unix.ByteSliceToString(names.Release[:])
	}
	if commit, err := exec.CommandContext(ctx, "git", "describe", "--always", "--dirty", "--abbrev=12").Output(); err == nil {
		m.Commit = strings.TrimSpace(string(commit))
	}
	for _, program := range []struct{ name, flag string }{{"nginx", "-v"}, {"varnishd", "-V"}, {"redis-server", "--version"}, {"h2load", "--version"}} {
		text, err := exec.CommandContext(ctx, program.name, program.flag).CombinedOutput() //nolint:gosec // The names are in this file.
		if version := versionNumber.Find(text); err == nil && version != nil {
			m.Programs = append(m.Programs, fmt.Sprintf("%s %s", program.name, version))
		}
	}
	return m
}
