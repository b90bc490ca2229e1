package schema

import (
	"fmt"
	"io/fs"
	"strings"

	"github.com/jhump/protoreflect/v2/protoprint"
)

// wellKnown is what every Protobuf compiler brings along.
const wellKnown = "google/protobuf/"

// printedNote heads a file that is printed from its descriptor.
const printedNote = "// Printed from a descriptor, without the comments of the original.\n\n"

// Protos returns the text of all files by their import paths, except those of
// google/protobuf, which every Protobuf compiler brings along. The gateway's
// files are their sources, byte for byte; the others are printed.
func (s *Schema) Protos() (map[string][]byte, error) {
	texts := make(map[string][]byte, len(s.files))
	printer := protoprint.Printer{Compact: true}
	for _, file := range s.files {
		path := file.Path()
		switch {
		case strings.HasPrefix(path, wellKnown):
		case s.ours[path] != nil:
			source, err := fs.ReadFile(s.sources, path)
			if err != nil {
				return nil, fmt.Errorf("schema: source of %s: %w", path, err)
			}
			texts[path] = source
		default:
			text, err := printer.PrintProtoToString(file)
			if err != nil {
				return nil, fmt.Errorf("schema: print %s: %w", path, err)
			}
			texts[path] = []byte(printedNote + text)
		}
	}
	return texts, nil
}
