// Command modzip writes a version of a module as a module proxy serves it: a folder that
// GOPROXY=file://… can name.
//
//	git -C ROOT ls-files -z | modzip -root ROOT -version v1.2.3 -out FOLDER
//
// The names of the files come on standard input. Files of nested modules are left out, as
// everywhere in Go. The same files give the same bytes.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
	"golang.org/x/mod/zip"
)

func main() {
	root := flag.String("root", ".", "`folder` of the module")
	version := flag.String("version", "", "`version` of the module, such as v1.2.3")
	out := flag.String("out", "", "`folder` of the proxy")
	flag.Parse()
	if err := run(*root, *version, *out, os.Stdin); err != nil {
		fmt.Fprintln(os.Stderr, "modzip:", err)
		os.Exit(1)
	}
}

func run(root, version, out string, names io.Reader) error {
	mod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		return err
	}
	v := module.Version{Path: modfile.ModulePath(mod), Version: version}
	if err := module.Check(v.Path, v.Version); err != nil {
		return err
	}
	files, err := read(root, names)
	if err != nil {
		return err
	}
	escaped, err := module.EscapePath(v.Path)
	if err != nil {
		return err
	}
	folder := filepath.Join(out, filepath.FromSlash(escaped), "@v")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	archive, err := os.Create(filepath.Join(folder, version+".zip"))
	if err != nil {
		return err
	}
	if err := errors.Join(zip.Create(archive, v, files), archive.Close()); err != nil {
		return err
	}
	info, err := json.Marshal(struct {
		Version string
		Time    time.Time
	}{version, time.Unix(0, 0).UTC()}) // The bytes depend on nothing but the files.
	if err != nil {
		return err
	}
	for name, content := range map[string][]byte{"list": []byte(version + "\n"), version + ".info": append(info, '\n'), version + ".mod": mod} {
		if err := os.WriteFile(filepath.Join(folder, name), content, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// read opens nothing yet. A file that git lists and that is gone is left out, and so is a
// symbolic link, which no module can have.
func read(root string, names io.Reader) (files []zip.File, err error) {
	all, err := io.ReadAll(names)
	if err != nil {
		return nil, err
	}
	for name := range strings.SplitSeq(strings.TrimSuffix(string(all), "\x00"), "\x00") {
		info, err := os.Lstat(filepath.Join(root, filepath.FromSlash(name)))
		if errors.Is(err, fs.ErrNotExist) || err == nil && !info.Mode().IsRegular() {
			continue
		}
		if err != nil {
			return nil, err
		}
		files = append(files, file{root, name})
	}
	if len(files) == 0 {
		return nil, errors.New("no files")
	}
	return files, nil
}

// file is a file of the module.
type file struct{ root, name string }

// Path implements zip.File.
func (f file) Path() string { return f.name }

// Lstat implements zip.File.
func (f file) Lstat() (fs.FileInfo, error) { return os.Lstat(f.at()) }

// Open implements zip.File.
func (f file) Open() (io.ReadCloser, error) { return os.Open(f.at()) }

func (f file) at() string { return filepath.Join(f.root, filepath.FromSlash(f.name)) }
