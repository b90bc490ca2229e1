package upstream_test

import (
	"bytes"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/admin-gateway/admin-gateway/upstream"
)

// keys are texts that are or are not a key, in a file or in a variable.
func keys() map[string]struct{ text, key string } {
	return map[string]struct{ text, key string }{
		"a key":                   {canary, canary},
		"a line":                  {canary + "\n", canary},
		"a line of Windows":       {canary + "\r\n", canary},
		"blank lines after it":    {canary + "\n\n", canary},
		"all printable ASCII":     {"!\"#$~", "!\"#$~"},
		"empty":                   {"", ""},
		"a line break":            {"\n", ""},
		"a space":                 {" ", ""},
		"a space before it":       {" " + canary, ""},
		"a space after it":        {canary + " \n", ""},
		"a tab in it":             {"sk-CANARY\tCANARY", ""},
		"two lines":               {canary + "\n" + canary, ""},
		"a header in it":          {"CANARY\r\nX-Evil: 1", ""},
		"a delete character":      {canary + "\x7f", ""},
		"beyond ASCII":            {"CANARYé", ""},
		"a byte order mark":       {"\ufeff" + canary, ""},
		"as large as it may be":   {strings.Repeat("k", 16<<10), strings.Repeat("k", 16<<10)},
		"larger than it may be":   {strings.Repeat("k", 16<<10+1), ""},
		"far larger, and all end": {strings.Repeat("\n", 1<<20), ""},
	}
}

// checkKey compares the key of a source with the expected one.
func checkKey(t *testing.T, source upstream.KeySource, want string) {
	t.Helper()
	got, err := source.Key(t.Context())
	switch {
	case want == "" && err == nil:
		t.Errorf("no error, and %d bytes", len(got.Reveal()))
	case want == "" && (strings.Contains(err.Error(), "CANARY") || got.Reveal() != ""):
		t.Errorf("the error comes with a key: %v", err)
	case want != "" && err != nil:
		t.Error(err)
	case got.Reveal() != want:
		t.Errorf("got %.50q, want %.50q", got.Reveal(), want)
	}
}

func TestFromEnv(t *testing.T) {
	const name = "ADMIN_GATEWAY_TEST_KEY"
	source := upstream.FromEnv(name)
	if err := os.Unsetenv(name); err != nil {
		t.Fatal(err)
	}
	checkKey(t, source, "")
	for what, test := range keys() {
		t.Run(what, func(t *testing.T) { // the same source: it reads at every call
			t.Setenv(name, test.text)
			checkKey(t, source, test.key)
		})
	}
	_, err := source.Key(t.Context())
	if err == nil || !strings.Contains(err.Error(), name) {
		t.Errorf("the error does not name the variable: %v", err)
	}
}

func TestFromFile(t *testing.T) {
	t.Parallel()
	for what, test := range keys() {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "key")
			write(t, path, test.text)
			source := upstream.FromFile(path, nil)
			checkKey(t, source, test.key)
			checkKey(t, source, test.key)
			// A source that has had no key yet takes the first one that comes.
			write(t, path, canary+"2")
			checkKey(t, source, canary+"2")
		})
	}
	t.Run("missing", func(t *testing.T) {
		t.Parallel()
		_, err := upstream.FromFile(filepath.Join(t.TempDir(), "key"), nil).Key(t.Context())
		if !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("a folder", func(t *testing.T) {
		t.Parallel()
		checkKey(t, upstream.FromFile(t.TempDir(), nil), "")
	})
	t.Run("not ours to read", func(t *testing.T) {
		t.Parallel()
		if os.Geteuid() == 0 {
			t.Skip("root reads all files")
		}
		path := filepath.Join(t.TempDir(), "key")
		write(t, path, canary)
		if err := os.Chmod(path, 0); err != nil {
			t.Fatal(err)
		}
		checkKey(t, upstream.FromFile(path, nil), "")
	})
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// age makes a file look as if it had been written long ago.
func age(t *testing.T, path string, by time.Duration) {
	t.Helper()
	then := time.Now().Add(-by)
	if err := os.Chtimes(path, then, then); err != nil {
		t.Fatal(err)
	}
}

// TestFromFileFollows: a change of the file is seen, whichever of its properties
// changes.
func TestFromFileFollows(t *testing.T) {
	t.Parallel()
	const first, second = canary + "1", canary + "2"
	for name, change := range map[string]func(t *testing.T, path string){
		"in place": func(t *testing.T, path string) {
			t.Helper()
			write(t, path, second)
			age(t, path, time.Minute)
		},
		"in place, back in time": func(t *testing.T, path string) {
			t.Helper()
			write(t, path, second)
			age(t, path, 48*time.Hour)
		},
		"in place, in the future": func(t *testing.T, path string) {
			t.Helper()
			write(t, path, second)
			age(t, path, -time.Hour)
		},
		"of another size, at the same time": func(t *testing.T, path string) {
			t.Helper()
			old, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			write(t, path, second+"\n")
			if err := os.Chtimes(path, old.ModTime(), old.ModTime()); err != nil {
				t.Fatal(err)
			}
		},
		"another file of the same size and time": func(t *testing.T, path string) {
			t.Helper()
			old, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			write(t, path+".new", second)
			if err := os.Chtimes(path+".new", old.ModTime(), old.ModTime()); err != nil {
				t.Fatal(err)
			}
			if err := os.Rename(path+".new", path); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "key")
			write(t, path, first)
			age(t, path, time.Hour)
			source := upstream.FromFile(path, nil)
			checkKey(t, source, first)
			checkKey(t, source, first)
			change(t, path)
			checkKey(t, source, second)
			checkKey(t, source, second)
		})
	}
}

// TestFromFileTrustsNoYoungFile: two writes can fall into one tick of the file
// system's clock.
func TestFromFileTrustsNoYoungFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "key")
	source := upstream.FromFile(path, nil)
	now := time.Now().Add(time.Minute) // young for as long as the test takes
	for _, key := range []string{canary + "1", canary + "2", canary + "3"} {
		write(t, path, key)
		if err := os.Chtimes(path, now, now); err != nil {
			t.Fatal(err)
		}
		checkKey(t, source, key)
	}
}

// TestFromFileTrustsAnOldFile: the file is not read at every call: a change that
// changes no property of the file is not seen.
func TestFromFileTrustsAnOldFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "key")
	then := time.Now().Add(-time.Hour)
	source := upstream.FromFile(path, nil)
	for _, key := range []string{canary + "1", canary + "2"} {
		write(t, path, key)
		if err := os.Chtimes(path, then, then); err != nil {
			t.Fatal(err)
		}
		checkKey(t, source, canary+"1")
	}
}

// TestFromFileKubernetes swaps a mounted secret as the kubelet does: the file is
// a link through the link ..data, which is replaced at once.
func TestFromFileKubernetes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "key")
	then := time.Now().Add(-time.Hour)
	swap := func(version, key string) {
		if err := os.Mkdir(filepath.Join(dir, version), 0o700); err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(dir, version, "key")
		write(t, file, key)
		if err := os.Chtimes(file, then, then); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(version, filepath.Join(dir, "..data_tmp")); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(filepath.Join(dir, "..data_tmp"), filepath.Join(dir, "..data")); err != nil {
			t.Fatal(err)
		}
	}
	swap("..1", canary+"1")
	if err := os.Symlink(filepath.Join("..data", "key"), path); err != nil {
		t.Fatal(err)
	}
	source := upstream.FromFile(path, nil)
	checkKey(t, source, canary+"1")
	swap("..2", canary+"2")
	checkKey(t, source, canary+"2")
	if err := os.RemoveAll(filepath.Join(dir, "..1")); err != nil {
		t.Fatal(err)
	}
	checkKey(t, source, canary+"2")
	swap("..3", canary+"3")
	checkKey(t, source, canary+"3")
}

// TestFromFileKeepsTheLastGoodKey: each fault of the file is logged once, and so is its
// end.
func TestFromFileKeepsTheLastGoodKey(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "key")
	var logged bytes.Buffer
	source := upstream.FromFile(path, slog.New(slog.NewTextHandler(&logged, &slog.HandlerOptions{Level: slog.LevelDebug})))
	checkKey(t, source, "") // never good so far: an error, and nothing to log
	write(t, path, canary)
	age(t, path, time.Hour)
	checkKey(t, source, canary)
	wantLog := func(what string, lines int) {
		t.Helper()
		for range 3 {
			checkKey(t, source, canary)
		}
		text := logged.String()
		logged.Reset()
		if n := strings.Count(text, "\n"); n != lines || !strings.Contains(text, what) || showsKey(text) {
			t.Errorf("logged %d lines, want %d with %q:\n%s", n, lines, what, text)
		}
	}
	wantLog("", 0)
	write(t, path, "")
	wantLog("it is empty", 1)
	write(t, path, "CANARY 0123")
	wantLog("it has a space", 1)
	write(t, path, strings.Repeat("CANARY", 16<<10))
	wantLog("larger than 16384 bytes", 1)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	wantLog("no such file", 1)
	write(t, path, canary)
	wantLog("good again", 1)
	wantLog("", 0)
	write(t, path, "")
	wantLog("it is empty", 1)
	write(t, path, canary+"2")
	checkKey(t, source, canary+"2")
}

func TestFromFileConcurrently(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "key")
	write(t, path, canary+"1")
	source := upstream.FromFile(path, nil)
	var callers sync.WaitGroup
	for range 4 {
		callers.Go(func() {
			for range 50 {
				if key, err := source.Key(t.Context()); err != nil || !strings.HasPrefix(key.Reveal(), canary) {
					t.Errorf("got %q (%v)", key.Reveal(), err)
				}
			}
		})
	}
	for _, version := range []string{"2", "3", "4"} {
		write(t, path+".new", canary+version)
		if err := os.Rename(path+".new", path); err != nil {
			t.Fatal(err)
		}
	}
	callers.Wait()
	checkKey(t, source, canary+"4")
}

// TestNoKeyNoCall: nothing goes out without a key, so that a write has not
// happened, and a key that comes later is used.
func TestNoKeyNoCall(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "key")
	client := newClient(t, "https://api.example.com/v1", func(c *upstream.Config) {
		c.Key, c.Transport = upstream.FromFile(path, nil), answer{status: 200, body: `{}`}
	})
	for _, c := range []call{getProject(t), createProject(t)} {
		_, err := c.do(t.Context(), client)
		wantKind(t, err, upstream.CredentialRejected, upstream.ReasonCredentialUnreadable)
		if !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("got %v", err)
		}
	}
	write(t, path, canary)
	if _, err := createProject(t).do(t.Context(), client); err != nil {
		t.Error(err)
	}
}

// TestKeyFileIsAFile: opening a pipe would wait for a writer.
func TestKeyFileIsAFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "key")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{path, t.TempDir()} {
		if _, err := upstream.FromFile(path, nil).Key(t.Context()); err == nil || !strings.Contains(err.Error(), "regular file") {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// TestAKeyInPlaceOfItsName: the key itself, where the name of its variable or the path of
// its file belongs, is in no error.
func TestAKeyInPlaceOfItsName(t *testing.T) {
	t.Parallel()
	for name, source := range map[string]upstream.KeySource{"env": upstream.FromEnv(canary), "file": upstream.FromFile(canary, nil)} {
		_, err := source.Key(t.Context())
		if err == nil {
			t.Fatalf("%s: no error", name)
		}
		for _, text := range texts(err) {
			if strings.Contains(text, canary) {
				t.Errorf("%s: the key shows: %s", name, text)
			}
		}
	}
	if _, err := upstream.FromEnv("NO_SUCH_VARIABLE").Key(t.Context()); err == nil || !strings.Contains(err.Error(), "NO_SUCH_VARIABLE") {
		t.Errorf("a variable that is not set is not named: %v", err)
	}
}
