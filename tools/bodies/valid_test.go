package bodies

import (
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// TestBodiesAreValid: a validator of JSON Schema finds nothing in what the generator
// draws. It reads the description itself.
func TestBodiesAreValid(t *testing.T) {
	t.Parallel()
	const each = 10
	seed := seed(t)
	d, all := mirrored(t)
	for _, o := range all {
		t.Run(o.String(), func(t *testing.T) {
			t.Parallel()
			judge := newJudge(t, d, o.operation)
			for i := range each {
				g := generate(d, seed, "valid "+o.String(), i)
				if o.body != nil {
					judge("/requestBody", g.request(o).text)
				}
				g.answer = true
				judge("/responses/"+o.status, spell(g, g.value(o.answer, hint{message: answerOf(o.method).message})))
			}
		})
	}
}

// newJudge makes a judge of bodies of an operation, which fails the test.
func newJudge(t *testing.T, d *description, o operation) func(place, text string) {
	t.Helper()
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("description", d.root); err != nil {
		t.Fatal(err)
	}
	operation := "description#/paths/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(o.path) + "/" + strings.ToLower(o.verb)
	return func(place, text string) {
		t.Helper()
		s, err := compiler.Compile(operation + place + "/content/application~1json/schema")
		if err != nil {
			t.Fatal(err)
		}
		value, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Validate(value); err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
	}
}
