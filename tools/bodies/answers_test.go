package bodies

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/admin-gateway/admin-gateway/internal/catalogtest"
	"github.com/admin-gateway/admin-gateway/service/catalog"
)

// bodiesPerRead and bodiesPerWrite are drawn for each operation.
const (
	bodiesPerRead  = 200
	bodiesPerWrite = 50
)

// count is the number of bodies for an operation.
func count(o operation) int {
	if o.read() {
		return bodiesPerRead
	}
	return bodiesPerWrite
}

// mirror is an operation of the description, with the method that mirrors it.
type mirror struct {
	operation
	method *catalog.Method
}

// mirrored are the operations of the description that the gateway has.
func mirrored(t *testing.T) (*description, []mirror) {
	t.Helper()
	d := load(t)
	methods := make(map[string]*catalog.Method)
	for _, m := range catalogtest.Gateway(t).Mirrored() {
		methods[m.Endpoint.String()] = m
	}
	var all []mirror
	for _, o := range d.operations {
		if m := methods[o.String()]; m != nil {
			all = append(all, mirror{o, m})
		}
	}
	t.Logf("%d of %d operations", len(all), len(d.operations))
	if len(all) != len(methods) || len(all) == 0 {
		t.Errorf("the gateway mirrors %d operations, the description has %d of them", len(methods), len(all))
	}
	return d, all
}

// TestAnswers sends random answers through the codec.
func TestAnswers(t *testing.T) {
	t.Parallel()
	known, seed := loadIntended(t), seed(t)
	t.Cleanup(func() { known.check(t, seed, "response") }) // After all operations.
	d, all := mirrored(t)
	for _, o := range all {
		t.Run(o.String(), func(t *testing.T) {
			t.Parallel()
			n := count(o.operation)
			if union := largest(answerOf(o.method).message); union > 0 {
				n = max(n, 20*union) // So that each of its objects has its turns.
			}
			report := newReport(t, seed)
			for i := range n {
				g := generate(d, seed, "answer "+o.String(), i)
				g.answer = true
				sent := g.value(o.answer, hint{message: answerOf(o.method).message})
				body := spell(g, sent)
				report.add(i, body, answered(known, o, g, sent, body))
			}
		})
	}
}

// answered sends one answer through the codec, and puts a fault into it. It returns what
// is wrong.
func answered(known *intended, o mirror, g *generator, sent *node, body string) []string {
	decoded, err := o.method.Endpoint.Decode([]byte(body))
	if err != nil {
		return []string{fmt.Sprint("refused: ", err)}
	}
	got := o.method.Response.New()
	if err := proto.Unmarshal(decoded.Wire, got.Interface()); err != nil {
		return []string{fmt.Sprint("not a message: ", err)}
	}
	answer := answerOf(o.method).in(got)
	before := compare(sent, read(answer), false)
	wrong := known.others(o.operation, "response", before)
	if len(decoded.Omitted) > 0 { // The caller would be told of it in a header.
		wrong = append(wrong, fmt.Sprint("left out of a valid answer: ", decoded.Omitted))
	}
	all := faults(answer, "")
	if len(all) == 0 {
		return append(wrong, "nothing arrived")
	}
	// A map is read in any order, and a run has to be the same every time.
	sortFaults(all)
	chosen := pick(g.Rand, all...)
	chosen.put()
	if after := compare(sent, read(answer), false); slices.Equal(after, before) {
		wrong = append(wrong, "a fault is not found: "+chosen.what)
	}
	return wrong
}

// answerMessage is where in a response the answer's JSON is.
type answerMessage struct {
	field   protoreflect.FieldDescriptor // nil: the response itself
	message protoreflect.MessageDescriptor
}

func answerOf(m *catalog.Method) answerMessage {
	output := m.Descriptor.Output()
	if name := httpRule(m.Descriptor).GetResponseBody(); name != "" {
		field := output.Fields().ByName(protoreflect.Name(name))
		return answerMessage{field, field.Message()}
	}
	return answerMessage{nil, output}
}

func (a answerMessage) in(response protoreflect.Message) protoreflect.Message {
	if a.field == nil {
		return response
	}
	return response.Mutable(a.field).Message()
}

// spell writes a tree in one of its spellings.
func spell(g *generator, n *node) string {
	var b strings.Builder
	n.write(&b, g.Rand)
	return b.String()
}
