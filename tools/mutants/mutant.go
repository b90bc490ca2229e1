package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// mutant is one fault that the tests must notice.
type mutant struct {
	// name is its path below the folder of the patches, without the extension.
	name string
	// why says what the fault is.
	why string
	// tests are the packages whose tests must fail.
	tests []string
	// run is the -run of go test; "" for all tests.
	run string
	// survives is the reason why no test notices it; "" where one does.
	survives string
	// edits are the changes of each file, in their order.
	edits []edit
}

// edit is a change of one place in a file.
type edit struct {
	file     string // Below the root, with slashes.
	old, new string // Whole lines.
}

const extension = ".patch"

// readMutants reads all mutants of a folder, by name.
func readMutants(folder string) ([]mutant, error) {
	paths, err := filepath.Glob(filepath.Join(folder, "*", "*"+extension))
	if err != nil {
		return nil, err
	}
	slices.Sort(paths)
	var mutants []mutant
	var faults []error
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		relative, err := filepath.Rel(folder, path)
		if err != nil {
			return nil, err
		}
		m, err := parseMutant(strings.TrimSuffix(filepath.ToSlash(relative), extension), string(text))
		if err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", path, err))
			continue
		}
		mutants = append(mutants, m)
	}
	return mutants, errors.Join(faults...)
}

// parseMutant reads one patch.
func parseMutant(name, text string) (mutant, error) {
	m := mutant{name: name}
	head, diff, ok := strings.Cut("\n"+text, "\n--- ")
	if !ok {
		return m, errors.New(`no line that starts with "--- "`)
	}
	for line := range strings.Lines(head) {
		line = strings.TrimSpace(line)
		switch key, value, _ := strings.Cut(line, ": "); key {
		case "Tests":
			m.tests = strings.Fields(value)
		case "Run":
			m.run = value
		case "Survives":
			m.survives = value
		default:
			m.why = strings.TrimSpace(m.why + " " + line)
		}
	}
	switch {
	case m.why == "":
		return m, errors.New("does not say what the fault is")
	case len(m.tests) == 0:
		return m, errors.New(`no line "Tests: "`)
	}
	var err error
	m.edits, err = parseDiff("--- " + diff)
	return m, err
}

// parseDiff reads a unified diff. Line numbers do not count.
func parseDiff(diff string) ([]edit, error) {
	var edits []edit
	file, inHunk := "", false
	for text := range strings.Lines(diff) {
		line := strings.TrimSuffix(text, "\n")
		switch {
		case !inHunk && strings.HasPrefix(line, "--- "):
		case !inHunk && strings.HasPrefix(line, "+++ "):
			file = strings.TrimPrefix(strings.TrimPrefix(line, "+++ "), "b/")
		case strings.HasPrefix(line, "@@"):
			if file == "" {
				return nil, errors.New("a hunk of no file")
			}
			edits, inHunk = append(edits, edit{file: file}), true
		case inHunk && strings.HasPrefix(line, "--- "): // The next file.
			file, inHunk = "", false
		case inHunk:
			if err := edits[len(edits)-1].add(line); err != nil {
				return nil, err
			}
		default:
			return nil, fmt.Errorf("%q is not of a unified diff", line)
		}
	}
	for _, e := range edits {
		if e.old == "" || e.old == e.new {
			return nil, errors.New("a hunk changes nothing, or has no line of the file")
		}
	}
	if len(edits) == 0 {
		return nil, errors.New("no hunk")
	}
	return edits, nil
}

// add reads one line of a hunk.
func (e *edit) add(line string) error {
	mark, rest := " ", ""
	if line != "" {
		mark, rest = line[:1], line[1:]
	}
	switch mark {
	case " ":
		e.old += rest + "\n"
		e.new += rest + "\n"
	case "-":
		e.old += rest + "\n"
	case "+":
		e.new += rest + "\n"
	default:
		return fmt.Errorf("%q is not a line of a hunk", line)
	}
	return nil
}

// apply returns the changed files, by their names below root.
func (m mutant) apply(root string) (map[string]string, error) {
	changed := make(map[string]string)
	for _, e := range m.edits {
		text, ok := changed[e.file]
		if !ok {
			read, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(e.file)))
			if err != nil {
				return nil, err
			}
			text = "\n" + string(read)
		}
		// A line in the middle of another one is not that line.
		if n := places(text, "\n"+e.old); n != 1 {
			return nil, fmt.Errorf("%s has these lines %d times, and not once:\n%s", e.file, n, e.old)
		}
		changed[e.file] = strings.Replace(text, "\n"+e.old, "\n"+e.new, 1)
	}
	for file, text := range changed {
		changed[file] = text[1:]
	}
	return changed, nil
}

// places counts where a text has another one. Those that share a line break count too.
func places(text, part string) int {
	n := 0
	for {
		at := strings.Index(text, part)
		if at < 0 {
			return n
		}
		n++
		text = text[at+1:]
	}
}
