package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
)

// repository is its folder, seen from this package.
const repository = "../.."

// TestPagesNameWhatExists: the names in the pages are names of the tree. Prose is not
// compiled, so a page that is left behind by a rename is found here.
func TestPagesNameWhatExists(t *testing.T) {
	t.Parallel()
	tree := readTree(t)
	for _, page := range tree.pages {
		text, err := os.ReadFile(filepath.Join(repository, page))
		if err != nil {
			t.Fatal(err)
		}
		for _, fault := range tree.faults(page, string(text)) {
			t.Errorf("%s: %s", page, fault)
		}
	}

	wrong := "`service/barn.go` `service.NewBarn` `TestOfNobody` `ProjectService/PaintProject` `gateway_barn_total` `cache.barn` `barn_key` " +
		"`make barn` `gateway barn` [x](barn.md) [x](#barn)\n```sh\nmake barn\n```\n"
	if faults := tree.faults("docs/doors.md", wrong); len(faults) != 12 {
		t.Errorf("12 wrong names are %d faults: %q", len(faults), faults)
	}
}

// TestReadmeListsEveryPage: the list has every page of docs, and each once.
func TestReadmeListsEveryPage(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(repository, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, list, found := strings.Cut(string(text), "\n## Pages\n")
	if !found {
		t.Fatal("README.md has no list of pages")
	}
	pages, err := filepath.Glob(filepath.Join(repository, "docs", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range pages {
		if n := strings.Count(list, "](docs/"+filepath.Base(page)+")"); n != 1 {
			t.Errorf("README.md lists docs/%s %d times", filepath.Base(page), n)
		}
	}
}

var (
	fencePattern    = regexp.MustCompile("(?ms)^[ ]*```.*?^[ ]*```$")
	spanPattern     = regexp.MustCompile("`([^`\n]+)`")
	linkPattern     = regexp.MustCompile(`\]\(([^)\s]*)\)`)
	headingPattern  = regexp.MustCompile(`(?m)^#+ (.+)$`)
	targetPattern   = regexp.MustCompile(`(?m)(?:^|[\x60( ])make ([a-z]+(?:-[a-z]+)*)\b`)
	commandPattern  = regexp.MustCompile(`^(?:bin/)?gateway ([a-z]+(?:-[a-z]+)*)\b`)
	testNamePattern = regexp.MustCompile(`^(?:Test|Fuzz|Benchmark)[A-Z]\w*$`)
	rpcPattern      = regexp.MustCompile(`^(?:[a-z0-9.]+\.)?(\w+Service)/(\w+)$`)
	goNamePattern   = regexp.MustCompile(`^([a-z]+)\.([A-Z]\w*)(?:\.([A-Z]\w*))?$`)
	quotedPattern   = regexp.MustCompile(`"([a-z_]+(?:\.[a-z_]+)+)"`)
	dottedPattern   = regexp.MustCompile(`^[a-z_]+(\.[a-z_]+)+$`)
	// identifierPattern matches words that are not English: with an underscore, or with
	// a capital inside.
	identifierPattern = regexp.MustCompile(`^[A-Za-z]\w*(?:_|[a-z][A-Z])\w*$`)
	// made matches variables that no source spells out: those of config keys, and of
	// OpenTelemetry's SDK.
	made = regexp.MustCompile(`^(GATEWAY|OTEL)_`)
	// examplePattern matches the endpoint that CONTRIBUTING.md adds as an example.
	examplePattern = regexp.MustCompile(`PauseProject`)
)

// protocolWords are words of gRPC and HTTP/2 that the sources do not use.
var protocolWords = []string{"ENHANCE_YOUR_CALM", "FAILED_PRECONDITION", "REFUSED_STREAM", "SERVICE_UNKNOWN"}

// tree has the names of the repository.
type tree struct {
	pages    []string
	tests    map[string]bool
	folders  map[string][]string // of Go packages, by the last part of their path
	words    map[string]bool     // of all sources
	rpcs     map[string]bool     // Service/Method
	declared map[string]bool     // dotted names that declarations quote: permissions
	keys     string              // docs/config.md, which is generated
	catalog  string              // the golden file, which has the permissions
	makefile string
}

func readTree(t *testing.T) *tree {
	t.Helper()
	r := &tree{tests: make(map[string]bool), folders: make(map[string][]string), rpcs: make(map[string]bool), words: make(map[string]bool), declared: make(map[string]bool)}
	read := func(path string) string {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	test := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Benchmark)\w+)\(\w+ \*testing\.`)
	service, method := regexp.MustCompile(`^service (\w+)`), regexp.MustCompile(`^\s+rpc (\w+)`)
	err := filepath.WalkDir(repository, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := entry.Name()
		if entry.IsDir() {
			if path != repository && (strings.HasPrefix(name, ".") || name == "node_modules" || name == "third_party" || name == "bin" || name == "dist") {
				return filepath.SkipDir
			}
			r.folders[name] = append(r.folders[name], path)
			return nil
		}
		switch filepath.Ext(name) {
		case ".md":
			page, err := filepath.Rel(repository, path)
			if err != nil {
				return err
			}
			r.pages = append(r.pages, page)
			return nil
		case ".go", ".proto", ".yaml", ".sh", ".py", ".mjs", ".ts", ".java", ".rs", ".json", ".tmpl":
		default:
			return nil
		}
		text := read(path)
		for _, found := range test.FindAllStringSubmatch(text, -1) {
			r.tests[found[1]] = true
		}
		if name == "docs_test.go" || filepath.Base(filepath.Dir(path)) == "specs" {
			text = "" // The names here are made up.
		}
		for word := range strings.FieldsFuncSeq(text, func(c rune) bool { return c != '_' && !unicode.IsLetter(c) && !unicode.IsDigit(c) }) {
			r.words[word] = true
			// An enum value has the name of its enum in front.
			for i := strings.IndexByte(word, '_'); i >= 0 && word == strings.ToUpper(word); i = strings.IndexByte(word, '_') {
				word = word[i+1:]
				r.words[word] = true
			}
		}
		if filepath.Ext(name) == ".proto" {
			for _, found := range quotedPattern.FindAllStringSubmatch(text, -1) {
				r.declared[found[1]] = true
			}
			of := ""
			for line := range strings.Lines(text) {
				if found := service.FindStringSubmatch(line); found != nil {
					of = found[1]
				} else if found := method.FindStringSubmatch(line); found != nil {
					r.rpcs[of+"/"+found[1]] = true
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	r.keys = read(filepath.Join(repository, "docs", "config.md"))
	r.catalog = read(filepath.Join(repository, "service", "catalog", "testdata", "catalog.golden"))
	r.makefile = read(filepath.Join(repository, "Makefile"))
	return r
}

// faults are the names on a page that the tree does not have.
func (r *tree) faults(page, text string) []string {
	var faults []string
	prose := fencePattern.ReplaceAllString(text, "")
	for _, found := range targetPattern.FindAllStringSubmatch(strings.Join(append(fencePattern.FindAllString(text, -1), spans(prose)...), "\n"), -1) {
		if !strings.Contains(r.makefile, "\n"+found[1]+": ") {
			faults = append(faults, "make has no target "+found[1])
		}
	}
	for _, name := range spans(prose) {
		name = strings.Trim(name, "`")
		if !examplePattern.MatchString(name) && !r.has(name) {
			faults = append(faults, "there is no "+name)
		}
	}
	for _, found := range linkPattern.FindAllStringSubmatch(prose, -1) {
		if !leads(page, text, found[1]) {
			faults = append(faults, "a link leads nowhere: "+found[1])
		}
	}
	return faults
}

func spans(prose string) []string { return spanPattern.FindAllString(prose, -1) }

// has tells whether a name in the form of one of the tree is one of the tree.
func (r *tree) has(name string) bool {
	if first, rest, ok := strings.Cut(name, "/"); ok && !strings.ContainsAny(name, " {}*…$<") && rest != "" {
		if _, err := os.Stat(filepath.Join(repository, first)); first != "" && !slices.Contains([]string{"..", ".cache", "bin", "dist", "third_party"}, first) && err == nil {
			_, err := os.Stat(filepath.Join(repository, name))
			_, mutant := os.Stat(filepath.Join(repository, "tools", "mutants", "patches", name+".patch"))
			return err == nil || mutant == nil
		}
	}
	if found := commandPattern.FindStringSubmatch(name); found != nil {
		return isCommand(found[1])
	}
	if found := rpcPattern.FindStringSubmatch(name); found != nil {
		return r.rpcs[found[1]+"/"+found[2]]
	}
	if found := goNamePattern.FindStringSubmatch(name); found != nil {
		folders, ok := r.folders[found[1]]
		return !ok || slices.ContainsFunc(folders, func(folder string) bool {
			return declares(folder, found[2]) && (found[3] == "" || declares(folder, found[3]))
		})
	}
	if section, _, ok := strings.Cut(name, "."); ok && dottedPattern.MatchString(name) && strings.Contains(r.keys, "\n## "+section+"\n") {
		return strings.Contains(r.keys, "`"+name) || strings.Contains(r.catalog, name) || r.declared[name]
	}
	switch {
	case testNamePattern.MatchString(name):
		return r.tests[name]
	case identifierPattern.MatchString(name):
		return r.words[name] || made.MatchString(name) || slices.Contains(protocolWords, name)
	}
	return true
}

// isCommand tells whether the binary has a command.
func isCommand(name string) bool {
	return slices.ContainsFunc(reflect.VisibleFields(reflect.TypeFor[program]()), func(f reflect.StructField) bool {
		return strings.EqualFold(f.Name, strings.ReplaceAll(name, "-", ""))
	})
}

// declares tells whether the package in a folder declares a name, at any level.
func declares(folder, name string) bool {
	declaration := regexp.MustCompile(`(?m)^(?:func |type |var |const |\t+|func \([^)]*\) )` + name + `\b`)
	files, err := filepath.Glob(filepath.Join(folder, "*.go"))
	return err == nil && slices.ContainsFunc(files, func(file string) bool {
		text, err := os.ReadFile(file)
		return err == nil && declaration.Match(text)
	})
}

// leads tells whether a link leads to a file, and to a heading of it. Links out of the
// repository are not followed.
func leads(page, text, to string) bool {
	if strings.Contains(to, "://") {
		return true
	}
	file, anchor, _ := strings.Cut(to, "#")
	if file != "" {
		path := filepath.Join(repository, filepath.Dir(page), file)
		if _, err := os.Stat(path); err != nil {
			return false
		}
		if anchor == "" {
			return true
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return false
		}
		text = string(content)
	}
	return slices.ContainsFunc(headingPattern.FindAllStringSubmatch(text, -1), func(h []string) bool { return anchorOf(h[1]) == anchor })
}

// anchorOf is what a heading is called in a link.
func anchorOf(heading string) string {
	kept := regexp.MustCompile(`[^\w -]`).ReplaceAllString(strings.ToLower(heading), "")
	return strings.ReplaceAll(kept, " ", "-")
}
