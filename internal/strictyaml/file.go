package strictyaml

import (
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"os"
	"strings"
)

// readBytes is how much is read of a file at once. Between two reads others may run,
// even where there is one processor.
const readBytes = 64 << 10

// minRead is for files that do not tell their size.
const minRead = 511

// TooLargeError says that a file has more bytes than it may.
type TooLargeError struct {
	// File is the path.
	File string
	// Most is how many bytes it may have.
	Most int64
}

// Error names the file and the bound.
func (e *TooLargeError) Error() string {
	return fmt.Sprintf("%s: is larger than %d bytes", e.File, e.Most)
}

// ReadFile reads a file; one of more bytes than most is a [*TooLargeError]. A path that is
// not a regular file is an error, because a pipe might never end.
func ReadFile(path string, most int64) (string, error) {
	return readFile(path, most, Pace{}, func([]byte) {})
}

func readFile(path string, most int64, pace Pace, each func(block []byte)) (string, error) {
	// A Builder does not clear its memory first, which takes long for a large file.
	var text strings.Builder
	err := scan(path, most, pace, func(size int64, block []byte) {
		each(block)
		if text.Len() == 0 {
			text.Grow(int(min(size, most)))
		}
		text.Write(block)
	})
	return text.String(), err
}

// Hasher tells contents of a file apart. Its key is random, so nobody can make two
// contents that it takes for the same. It is not safe for concurrent use.
type Hasher struct {
	// Pace is how files are read.
	Pace Pace
	hash maphash.Hash
}

// Sum stands for a content: two that differ have another one, but for a chance of 2⁻⁶⁴.
// The zero Sum is that of no file.
type Sum struct {
	hash uint64
	size int64
}

// File is the sum of a file's content, with the errors of [ReadFile]. It holds no more
// of it than a block.
func (h *Hasher) File(path string, most int64) (Sum, error) {
	h.hash.Reset()
	size := int64(0)
	err := scan(path, most, h.Pace, func(_ int64, block []byte) {
		size += int64(len(block))
		_, _ = h.hash.Write(block)
	})
	if err != nil {
		return Sum{}, err
	}
	return Sum{h.hash.Sum64(), size}, nil
}

// Read reads a file as [ReadFile] does, with the sum of what was read.
func (h *Hasher) Read(path string, most int64) (string, Sum, error) {
	h.hash.Reset()
	text, err := readFile(path, most, h.Pace, func(block []byte) { _, _ = h.hash.Write(block) })
	return text, Sum{h.hash.Sum64(), int64(len(text))}, err
}

// scan reads a file block by block. size is how large the file was at first.
func scan(path string, most int64, pace Pace, each func(size int64, block []byte)) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is not a regular file", path)
	}
	if info.Size() > most {
		return &TooLargeError{path, most}
	}
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(blocks(file, path, info.Size(), most, pace, each), file.Close())
}

func blocks(file io.Reader, path string, size, most int64, pace Pace, each func(int64, []byte)) error {
	block := make([]byte, min(max(size, minRead)+1, readBytes))
	for total := int64(0); ; {
		n, err := file.Read(block)
		if total += int64(n); total > most {
			return &TooLargeError{path, most}
		}
		each(size, block[:n])
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		pace.rest()
	}
}
