package build

import (
	"bytes"
	"crypto/sha256"
	"debug/elf"
	"encoding/binary"
	"os"
)

// buildID names this build of the gateway: two that have the same name are the same
// program, with the same codecs and the same schema. It is a digest of the id that the Go
// linker makes of the contents of a program, and "" where there is none to be found: in
// another format than ELF, or with -buildid= for the linker.
func buildID() string {
	path, err := os.Executable()
	if err != nil {
		return ""
	}
	return buildIDOf(path)
}

func buildIDOf(path string) string {
	program, err := elf.Open(path)
	if err != nil {
		return ""
	}
	defer program.Close() //nolint:errcheck // It was read, not written.
	section := program.Section(".note.go.buildid")
	if section == nil {
		return ""
	}
	note, err := section.Data()
	if err != nil {
		return ""
	}
	id := goBuildID(program.ByteOrder, note)
	if len(id) == 0 {
		return ""
	}
	digest := sha256.Sum256(id)
	return string(digest[:16])
}

// goBuildID is the text of a note of ELF: lengths of name and text, type, the name "Go"
// in four bytes, text.
func goBuildID(order binary.ByteOrder, note []byte) []byte {
	const header, goBuildIDTag = 16, 4
	if len(note) < header || order.Uint32(note) != 4 || order.Uint32(note[8:]) != goBuildIDTag || string(note[12:header]) != "Go\x00\x00" {
		return nil
	}
	length := order.Uint32(note[4:])
	if uint64(length) > uint64(len(note)-header) {
		return nil
	}
	return bytes.Clone(note[header : header+length])
}
