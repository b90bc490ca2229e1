package main

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

// suite is the tests of one SDK.
type suite interface {
	name() string
	// run runs them against the API at a URL. A test that fails is a result, and not
	// an error.
	run(ctx context.Context, url string) (results, error)
}

// addressed is an environment for a suite.
func addressed(url string) []string { return append(os.Environ(), "TEST_API_BASE_URL="+url) }

// ranTests reports whether a command ended because of tests that failed, or did not
// fail. Any other end is an error.
func ranTests(err error) error {
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && exit.ExitCode() == 1 {
		return nil
	}
	return err
}

// goSuite is the tests of the SDK for Go, in the module cache.
type goSuite struct{ folder string }

const goPackage = "github.com/openai/openai-go/v3"

func (goSuite) name() string { return "openai-go" }

func (s goSuite) run(ctx context.Context, url string) (results, error) {
	binary := filepath.Join(s.folder, "openai-go.test")
	if _, err := os.Stat(binary); err != nil { // Compiled once, which takes a minute.
		if out, err := exec.CommandContext(ctx, "go", "test", "-c", "-o", binary, goPackage).CombinedOutput(); err != nil { //nolint:gosec // our own folder
			return nil, fmt.Errorf("%w: %s", err, out)
		}
	}
	names, source, err := adminTests(ctx)
	if err != nil {
		return nil, err
	}
	tests := exec.CommandContext(ctx, binary, "-test.v", "-test.run", "^("+strings.Join(names, "|")+")$") //nolint:gosec // built above
	tests.Dir, tests.Env = source, addressed(url)
	out, err := tests.CombinedOutput()
	if err := ranTests(err); err != nil {
		return nil, fmt.Errorf("%w: %s", err, out)
	}
	return goResults(out), nil
}

// adminTests finds the tests of the Admin API in the module's folder.
func adminTests(ctx context.Context) (names []string, folder string, err error) {
	out, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", goPackage).Output()
	if err != nil {
		return nil, "", err
	}
	folder = strings.TrimSpace(string(out))
	files, err := filepath.Glob(filepath.Join(folder, "admin*_test.go"))
	if err != nil {
		return nil, "", err
	}
	declared := regexp.MustCompile(`(?m)^func (Test\w+)\(`)
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, "", err
		}
		for _, match := range declared.FindAllSubmatch(text, -1) {
			names = append(names, string(match[1]))
		}
	}
	if len(names) == 0 {
		return nil, "", fmt.Errorf("%s has no tests of the Admin API", folder)
	}
	return names, folder, nil
}

// goResults reads the output of tests that ran one after another. Subtests belong to
// their test.
func goResults(out []byte) results {
	all := results{}
	ended := regexp.MustCompile(`^--- (PASS|FAIL|SKIP): (\S+)`)
	outcomes := map[string]outcome{"PASS": passed, "FAIL": failed, "SKIP": skipped}
	said := "" // Since the test began: its end comes after what it says, as with -v.
	for line := range bytes.Lines(out) {
		text := string(line)
		if strings.HasPrefix(text, "=== RUN") {
			said = ""
			continue
		}
		if match := ended.FindStringSubmatch(text); match != nil {
			all[match[2]] = result{outcomes[match[1]], said}
			continue
		}
		said += text
	}
	return all
}

// pythonSuite is the tests of the SDK for Python, in its source distribution.
type pythonSuite struct{ python, source, folder string }

func (pythonSuite) name() string { return "openai-python" }

func (s pythonSuite) run(ctx context.Context, url string) (results, error) {
	report := filepath.Join(s.folder, "python.xml")
	tests := exec.CommandContext(ctx, s.python, "-m", "pytest", "-q", "-o", "addopts=", "--tb=short", "-p", "no:cacheprovider", //nolint:gosec // given by whoever runs this
		"-o", "junit_logging=no", "--junitxml", report, filepath.Join("tests", "api_resources", "admin"))
	tests.Dir, tests.Env = s.source, append(addressed(url), "PYTHONDONTWRITEBYTECODE=1")
	out, err := tests.CombinedOutput()
	if err := ranTests(err); err != nil {
		return nil, fmt.Errorf("%w: %s", err, out)
	}
	raw, err := os.ReadFile(report)
	if err != nil {
		return nil, err
	}
	return junitResults(raw)
}

// junitResults reads pytest's report.
func junitResults(raw []byte) (results, error) {
	type fault struct {
		Text string `xml:",chardata"`
	}
	var suites struct {
		Cases []struct {
			Class   string `xml:"classname,attr"`
			Name    string `xml:"name,attr"`
			Failure *fault `xml:"failure"`
			Error   *fault `xml:"error"`
			Skipped *fault `xml:"skipped"`
		} `xml:"testsuite>testcase"`
	}
	if err := xml.Unmarshal(raw, &suites); err != nil {
		return nil, err
	}
	all := results{}
	for _, one := range suites.Cases {
		name := strings.TrimPrefix(one.Class, "tests.api_resources.admin.") + "." + one.Name
		switch {
		case one.Failure != nil:
			all[name] = result{failed, one.Failure.Text}
		case one.Error != nil:
			all[name] = result{failed, one.Error.Text}
		case one.Skipped != nil:
			all[name] = result{skipped, ""}
		default:
			all[name] = result{passed, ""}
		}
	}
	return all, nil
}
