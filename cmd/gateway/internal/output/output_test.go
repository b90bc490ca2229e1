package output_test

import (
	"bytes"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
	"pgregory.net/rapid"

	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/output"
	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
)

// TestNothingMovesTheTerminal: whatever a text has, its printable form has no control
// character, is one line, and says what was there.
func TestNothingMovesTheTerminal(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.String().Draw(t, "text") + rapid.SampledFrom([]string{"", "\x1b[2J", "\u202e", "\r", "\u2028", "\xff"}).Draw(t, "more")
		shown := output.Printable(text)
		for _, r := range shown {
			if unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) {
				t.Fatalf("%q is shown as %q", text, shown)
			}
		}
		if !utf8.ValidString(shown) {
			t.Fatalf("%q is no text", shown)
		}
	})
	if shown := output.Printable("a\x1bb\u202ec"); shown != `a\x1bb\u202ec` {
		t.Errorf("shown as %q", shown)
	}
}

// TestTablesFitTheTerminal: no line is wider, and where there is no terminal nothing is
// cut.
func TestTablesFitTheTerminal(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		width := rapid.IntRange(40, 120).Draw(t, "width")
		columns := rapid.IntRange(1, 4).Draw(t, "columns")
		rows := rapid.SliceOf(rapid.SliceOfN(rapid.StringOfN(rapid.RuneFrom([]rune("abcäö")), 0, 200, -1), columns, columns)).Draw(t, "rows")
		for _, limit := range []int{0, width} {
			var b bytes.Buffer
			table := output.NewTable(&b, limit)
			for _, row := range rows {
				if err := table.Row(row...); err != nil {
					t.Fatal(err)
				}
			}
			if err := table.Close(); err != nil {
				t.Fatal(err)
			}
			lines := strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
			if len(rows) > 0 && len(lines) != len(rows) {
				t.Fatalf("%d lines for %d rows", len(lines), len(rows))
			}
			for i, line := range lines {
				if limit > 0 && utf8.RuneCountInString(line) > limit {
					t.Fatalf("a line of %d characters on a terminal of %d: %q", utf8.RuneCountInString(line), limit, line)
				}
				if limit == 0 && len(rows) > 0 && !strings.Contains(line, strings.TrimSpace(rows[i][0])) {
					t.Fatalf("%q lacks %q", line, rows[i][0])
				}
			}
		}
	})
}

func TestFormatsOfMessages(t *testing.T) {
	t.Parallel()
	project := &adminv1.Project{Id: "proj_1", Name: proto.String("no"), CreatedAt: timestamppb.New(time.Unix(1700000000, 0))}
	other := &adminv1.Project{Id: "proj_2", Name: proto.String("a <b>\x07")}
	page := &adminv1.ListProjectsResponse{Data: []*adminv1.Project{project, other}, HasMore: true}
	for name, test := range map[string]struct {
		write func(*bytes.Buffer) error
		want  string
	}{
		"whole JSON": {func(b *bytes.Buffer) error { return output.Whole(b, output.JSON, project) }, "{\n  \"id\": \"proj_1\",\n  \"name\": \"no\",\n  \"created_at\": \"2023-11-14T22:13:20Z\"\n}\n"},
		"a line":     {func(b *bytes.Buffer) error { return output.One(b, output.JSON, other) }, `{"id":"proj_2","name":"a <b>\u0007"}` + "\n"},
		"whole YAML": {func(b *bytes.Buffer) error { return output.Whole(b, output.YAML, project) }, "id: proj_1\nname: \"no\"\ncreated_at: \"2023-11-14T22:13:20Z\"\n"},
		"a document": {func(b *bytes.Buffer) error { return output.One(b, output.YAML, project) }, "---\nid: proj_1\n"},
		"a table": {func(b *bytes.Buffer) error {
			rows := output.NewRows(b, 0)
			_ = rows.Add(project.ProtoReflect())
			_ = rows.Add(other.ProtoReflect())
			return rows.Close()
		}, "ID      NAME     CREATED_AT\nproj_1  no       2023-11-14T22:13:20Z\nproj_2  a <b>\\a  -\n"},
		"fields": {func(b *bytes.Buffer) error { return output.Fields(b, 0, page.ProtoReflect()) }, "has_more  true\n\ndata:\nID      NAME "},
		"two types": {func(b *bytes.Buffer) error {
			rows := output.NewRows(b, 0)
			_ = rows.Add(other.ProtoReflect())
			_ = rows.Add((&adminv1.User{Id: "user_1"}).ProtoReflect())
			return rows.Close()
		}, "ID      NAME\nproj_2  a <b>\\a\n\nID\nuser_1\n"},
	} {
		var b bytes.Buffer
		if err := test.write(&b); err != nil || !strings.HasPrefix(b.String(), test.want) {
			t.Errorf("%s: %v\n%s", name, err, &b)
		}
	}
}
