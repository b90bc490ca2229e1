package complete_test

import (
	"slices"
	"testing"

	"github.com/alecthomas/kong"

	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/complete"
)

type program struct {
	Verbose bool `short:"v"`
	Call    struct {
		RPC    string   `arg:"" name:"service/method"`
		JSON   string   `arg:"" optional:""`
		Field  []string `short:"f"`
		Format string   `enum:"table,json,yaml" default:"table"`
		Secret string   `hidden:""`
	} `cmd:""`
	Hold struct {
		Create struct {
			Caller string `arg:""`
			Reason string
		} `cmd:"" default:"withargs"`
		List struct{} `cmd:""`
	} `cmd:""`
	Hidden struct{} `cmd:"" hidden:""`
}

func TestWords(t *testing.T) {
	t.Parallel()
	parser, err := kong.New(new(program))
	if err != nil {
		t.Fatal(err)
	}
	names := func(value *kong.Value, line complete.Line, _ string) []string {
		switch value.Name {
		case "service/method":
			return []string{"A/Get", "A/List", "B/Get"}
		case "field":
			return []string{line.Arguments[0] + ".name="}
		case "caller":
			return []string{"lena"}
		}
		return nil
	}
	for _, test := range []struct{ words, want []string }{
		{nil, nil},
		{[]string{""}, []string{"call", "hold"}},
		{[]string{"ca"}, []string{"call"}},
		{[]string{"-"}, []string{"--help", "--verbose"}},
		{[]string{"call", ""}, []string{"A/Get", "A/List", "B/Get"}},
		{[]string{"-v", "call", "A"}, []string{"A/Get", "A/List"}},
		{[]string{"call", "A/Get", ""}, nil},
		{[]string{"call", "--f"}, []string{"--field", "--format"}},
		{[]string{"call", "--format", ""}, []string{"json", "table", "yaml"}},
		{[]string{"call", "--format=j"}, []string{"--format=json"}},
		{[]string{"call", "--format", "json", "B"}, []string{"B/Get"}},
		{[]string{"call", "A/Get", "-f", ""}, []string{"A/Get.name="}},
		{[]string{"call", "A/Get", "--field=A"}, []string{"--field=A/Get.name="}},
		{[]string{"call", "--none", "B"}, []string{"B/Get"}},
		{[]string{"call", "--", "A/L"}, []string{"A/List"}},
		{[]string{"hold", "l"}, []string{"lena", "list"}},
		{[]string{"hold", "--r"}, []string{"--reason"}},
		{[]string{"hold", "lena", "l"}, nil},
		{[]string{"none", "c"}, nil},
	} {
		if got := complete.Words(parser.Model, test.words, names); !slices.Equal(got, test.want) {
			t.Errorf("%q: %q, want %q", test.words, got, test.want)
		}
	}
}
