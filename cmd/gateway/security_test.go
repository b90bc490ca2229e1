package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestSecurityPage: docs/security.md has a test for every promise, and every test
// that it names exists.
func TestSecurityPage(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/security.md")
	if err != nil {
		t.Fatal(err)
	}
	exists := testsIn(t, "../..")
	for _, fault := range unproven(string(page), exists) {
		t.Error(fault)
	}
	if len(unproven("## Promised\n| no test | how | none |\n| a test that is not | how | `TestOfNobody` |\n", exists)) != 2 {
		t.Error("this test cannot fail")
	}
}

func unproven(page string, exists map[string]bool) []string {
	var faults []string
	names := regexp.MustCompile("`(Test[A-Z][A-Za-z0-9]*)`")
	for _, found := range names.FindAllStringSubmatch(page, -1) {
		if !exists[found[1]] {
			faults = append(faults, "there is no test "+found[1])
		}
	}
	_, promises, _ := strings.Cut("\n"+page, "\n## Promised\n")
	promises, _, _ = strings.Cut(promises, "\n## ")
	for line := range strings.Lines(promises) {
		isPromise := strings.HasPrefix(line, "| ") && !strings.HasPrefix(line, "| promise |")
		if isPromise && !names.MatchString(line) {
			faults = append(faults, "no test for: "+line)
		}
	}
	return faults
}

// testsIn are the names of all tests below a folder.
func testsIn(t *testing.T, folder string) map[string]bool {
	t.Helper()
	found := make(map[string]bool)
	declared := regexp.MustCompile(`(?m)^func (Test\w+)\(t \*testing\.T\)`)
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && strings.HasPrefix(entry.Name(), ".") && len(entry.Name()) > 2:
			return filepath.SkipDir
		case entry.IsDir() || !strings.HasSuffix(path, "_test.go"):
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, name := range declared.FindAllSubmatch(text, -1) {
			found[string(name[1])] = true
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}
