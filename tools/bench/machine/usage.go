package machine

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of processor times in /proc: Linux has had a hundred of them a second
// for user space on every architecture since 2.6.
const tick = 10 * time.Millisecond

var errStat = errors.New("not a line of /proc/PID/stat")

// stat is the part of /proc/PID/stat that a measurement needs.
type stat struct {
	parent int
	spent  time.Duration // Of all threads, user and system.
}

// parseStat reads a line of /proc/PID/stat. The name in it may have spaces and
// parentheses, so the fields are counted from its last parenthesis.
func parseStat(line []byte) (stat, error) {
	end := bytes.LastIndexByte(line, ')')
	if end < 0 {
		return stat{}, errStat
	}
	fields := strings.Fields(string(line[end+1:]))
	if len(fields) < 13 {
		return stat{}, errStat
	}
	parent, err := strconv.Atoi(fields[1])
	if err != nil {
		return stat{}, fmt.Errorf("%w: parent: %w", errStat, err)
	}
	var numbers [2]uint64
	for i, field := range []int{11, 12} {
		if numbers[i], err = strconv.ParseUint(fields[field], 10, 64); err != nil {
			return stat{}, fmt.Errorf("%w: field %d: %w", errStat, field+3, err)
		}
	}
	return stat{parent: parent, spent: time.Duration(numbers[0]+numbers[1]) * tick}, nil
}

// parseRSS reads VmRSS from /proc/PID/status, in bytes.
func parseRSS(status []byte) (int64, error) {
	for line := range strings.Lines(string(status)) {
		rest, ok := strings.CutPrefix(line, "VmRSS:")
		if !ok {
			continue
		}
		kib, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 10, 64)
		if err != nil {
			return 0, fmt.Errorf("VmRSS of /proc/PID/status: %w", err)
		}
		return kib << 10, nil
	}
	return 0, errors.New("no VmRSS in /proc/PID/status")
}

// family are the ids of a process and of all that descend from it: some servers do their
// work in a child.
func family(root int) ([]int, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	parents := make(map[int]int)
	for _, entry := range entries {
		id, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		line, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", id))
		if err != nil {
			continue // It has ended since.
		}
		if s, err := parseStat(line); err == nil {
			parents[id] = s.parent
		}
	}
	members := []int{root}
	for i := 0; i < len(members); i++ {
		for id, parent := range parents {
			if parent == members[i] {
				members = append(members, id)
			}
		}
	}
	return members, nil
}
