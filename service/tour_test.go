package service_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"math/big"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/admin-gateway/admin-gateway/service/catalog"
)

// stop is a line of testdata/tour.txt.
type stop struct {
	line    int
	method  *catalog.Method
	request string            // ProtoJSON with "$name" in it
	keep    map[string]string // name → path in the answer
}

// tourValues are the values of the variables "$name", by name. A tour learns most of
// them from answers.
type tourValues map[string]string

var (
	tourLine     = regexp.MustCompile(`^(\w+/\w+) (\{.*\})(?: => (.+))?$`)
	tourVariable = regexp.MustCompile(`"\$(\w+)"`)
	pathVariable = regexp.MustCompile(`\{[^}]*\}`)
)

// readTour reads the tour, which visits every method of the catalog.
func readTour(t *testing.T, methods *catalog.Catalog) []stop {
	t.Helper()
	text, err := os.ReadFile("testdata/tour.txt")
	if err != nil {
		t.Fatal(err)
	}
	unvisited := make(map[string]*catalog.Method)
	for _, m := range methods.Mirrored() {
		unvisited[m.ShortName()] = m
	}
	known := maps.Clone(unvisited)
	var stops []stop
	line := 0
	for text := range strings.Lines(string(text)) {
		line++
		text = strings.TrimSpace(text)
		if text == "" || strings.HasPrefix(text, "#") {
			continue
		}
		parts := tourLine.FindStringSubmatch(text)
		if parts == nil || known[parts[1]] == nil {
			t.Fatalf("tour.txt:%d: not Service/Method {request} => name=path: %s", line, text)
		}
		s := stop{line: line, method: known[parts[1]], request: parts[2], keep: make(map[string]string)}
		for pair := range strings.FieldsSeq(parts[3]) {
			name, path, ok := strings.Cut(pair, "=")
			if !ok {
				t.Fatalf("tour.txt:%d: %q is not name=path", line, pair)
			}
			s.keep[name] = path
		}
		delete(unvisited, parts[1])
		stops = append(stops, s)
	}
	for name := range unvisited {
		t.Errorf("tour.txt does not visit %s", name)
	}
	return stops
}

// message is the request with the values of its variables.
func (s stop) message(t *testing.T, w tourValues) proto.Message {
	t.Helper()
	text := tourVariable.ReplaceAllStringFunc(s.request, func(variable string) string {
		value, ok := w[strings.Trim(variable, `"$`)]
		if !ok {
			t.Fatalf("tour.txt:%d: nothing is known of %s", s.line, variable)
		}
		quoted, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		return string(quoted)
	})
	request := s.method.Request.New().Interface()
	if err := protojson.Unmarshal([]byte(text), request); err != nil {
		t.Fatalf("tour.txt:%d: %v", s.line, err)
	}
	return request
}

// learn keeps what the stop's line names.
func (s stop) learn(t *testing.T, w tourValues, answer proto.Message) {
	t.Helper()
	for name, path := range s.keep {
		value, err := at(answer.ProtoReflect(), strings.Split(path, "."))
		if err != nil {
			t.Fatalf("tour.txt:%d: %s: %v", s.line, path, err)
		}
		w[name] = value
	}
}

// at is the string at a path of field names and indexes.
func at(m protoreflect.Message, path []string) (string, error) {
	fd := m.Descriptor().Fields().ByName(protoreflect.Name(path[0]))
	if fd == nil {
		return "", fmt.Errorf("%s has no field %s", m.Descriptor().Name(), path[0])
	}
	value, rest := m.Get(fd), path[1:]
	if fd.IsList() {
		if len(rest) == 0 {
			return "", fmt.Errorf("%s is a list", path[0])
		}
		i, err := strconv.Atoi(rest[0])
		if err != nil || i >= value.List().Len() {
			return "", fmt.Errorf("%s has %d elements, no %s", path[0], value.List().Len(), rest[0])
		}
		value, rest = value.List().Get(i), rest[1:]
	}
	if len(rest) > 0 {
		return at(value.Message(), rest)
	}
	if fd.Kind() != protoreflect.StringKind || value.String() == "" {
		return "", fmt.Errorf("%s holds no text", path[0])
	}
	return value.String(), nil
}

// newTourValues has the values that a tour cannot learn from an answer.
func newTourValues(t *testing.T) tourValues {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "tour"},
		NotBefore:    time.Unix(1_700_000_000, 0),
		NotAfter:     time.Unix(2_000_000_000, 0),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tourValues{"pem": string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))}
}
