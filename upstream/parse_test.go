package upstream_test

import (
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/dynamicpb"
	"google.golang.org/protobuf/types/known/timestamppb"
	"pgregory.net/rapid"

	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
	optionsv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/options/v1"
	"github.com/admin-gateway/admin-gateway/internal/drawtest"
	"github.com/admin-gateway/admin-gateway/internal/fieldmask"
	"github.com/admin-gateway/admin-gateway/upstream"
	"github.com/admin-gateway/admin-gateway/upstream/adminjson"
)

// TestParseInvertsRequest: the request of a message is read as that message, at the
// endpoint that it was sent to.
func TestParseInvertsRequest(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	for _, e := range a.all {
		t.Run(e.String(), func(t *testing.T) {
			t.Parallel()
			rapid.Check(t, func(t *rapid.T) {
				m := dynamicpb.NewMessage(a.inputs[e])
				drawFields(t, m, e.HasBody(), 3)
				for _, variable := range e.Variables() {
					m.Set(variable, protoreflect.ValueOfString(rapid.StringMatching(`[ -"$&-.0->@-[\]-~é日]{3,20}`).Draw(t, "id")))
				}
				sent, err := e.Request(m)
				if err != nil {
					t.Fatalf("%v: %v", m, err)
				}
				match, ok := a.router.Match(sent.Verb, sent.Path)
				if !ok || match.Endpoint != e {
					t.Fatalf("%s %s is taken for %v", sent.Verb, sent.Path, match.Endpoint)
				}
				got := dynamicpb.NewMessage(a.inputs[e])
				if err := e.Parse(got, match.Values, sent.Query, sent.Body); err != nil {
					t.Fatalf("%+v: %v", sent, err)
				}
				if diff := cmp.Diff(m, got, protocmp.Transform()); diff != "" {
					t.Fatalf("%s %s?%s %s (-want +got):\n%s", sent.Verb, sent.Path, sent.Query, sent.Body, diff)
				}
			})
		})
	}
}

// drawFields fills a message with values that can be sent. Messages in a query have a
// field that is set: an empty one leaves no trace there.
func drawFields(t *rapid.T, m protoreflect.Message, inBody bool, depth int) {
	fields := m.Descriptor().Fields()
	set := 0
	one := drawtest.OneOf(t, m.Descriptor())
	for i := range fields.Len() {
		field := fields.Get(i)
		if one != nil && field.ContainingOneof() == one.ContainingOneof() {
			if field == one {
				m.Set(field, drawWhole(t, field, inBody, depth))
			}
			continue
		}
		isEnum := field.Kind() == protoreflect.EnumKind
		last := i == fields.Len()-1 && set == 0 && !inBody && depth < 3
		switch {
		case field.Message() != nil && field.Message().Name() == "FieldMask", drawtest.Unsent(field):
		case !rapid.Bool().Draw(t, "set") && !last:
		case field.IsMap():
			entries := m.Mutable(field).Map()
			for i := range rapid.IntRange(1, 3).Draw(t, "entries") {
				entries.Set(protoreflect.ValueOfString(strconv.Itoa(i)).MapKey(), drawOne(t, field.MapValue(), inBody, 1))
			}
		case field.IsList():
			list := m.Mutable(field).List()
			for range rapid.IntRange(0, 3).Draw(t, "length") {
				list.Append(drawOne(t, field, inBody, depth))
			}
		case field.Message() == nil && !field.HasPresence() && isEnum && rapid.Bool().Draw(t, "zero"):
		default:
			m.Set(field, drawOne(t, field, inBody, depth))
			set++
		}
	}
}

// drawWhole draws the value of a field that has to be set.
func drawWhole(t *rapid.T, field protoreflect.FieldDescriptor, inBody bool, depth int) protoreflect.Value {
	if field.Kind() == protoreflect.DoubleKind {
		return drawtest.Fraction(t)
	}
	return drawOne(t, field, inBody, max(depth, 1))
}

func drawOne(t *rapid.T, field protoreflect.FieldDescriptor, inBody bool, depth int) protoreflect.Value {
	switch field.Kind() {
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(rapid.Bool().Draw(t, "bool"))
	case protoreflect.Int32Kind:
		return protoreflect.ValueOfInt32(rapid.Int32().Draw(t, "int32"))
	case protoreflect.Int64Kind:
		return protoreflect.ValueOfInt64(rapid.Int64().Draw(t, "int64"))
	case protoreflect.DoubleKind:
		return protoreflect.ValueOfFloat64(rapid.Float64().Draw(t, "double"))
	case protoreflect.EnumKind:
		values := field.Enum().Values()
		return protoreflect.ValueOfEnum(values.Get(rapid.IntRange(1, values.Len()-1).Draw(t, "enum")).Number())
	case protoreflect.StringKind:
		if mapping, _ := proto.GetExtension(field.Options(), optionsv1.E_Field).(*optionsv1.FieldMapping); mapping.GetDecimal() {
			return protoreflect.ValueOfString(rapid.StringMatching(`(0|[1-9][0-9]{0,20})(\.[0-9]{1,20})?`).Draw(t, "decimal"))
		}
		return protoreflect.ValueOfString(rapid.String().Draw(t, "string"))
	default:
		m := dynamicpb.NewMessage(field.Message())
		if m.Descriptor().FullName() == "google.protobuf.Timestamp" {
			m.Set(m.Descriptor().Fields().ByName("seconds"), protoreflect.ValueOfInt64(rapid.Int64Range(-62135596800, 253402300799).Draw(t, "seconds")))
		} else if m.Descriptor().FullName() == "google.protobuf.Struct" {
			drawStruct(t, m)
		} else if depth > 0 {
			drawFields(t, m, inBody, depth-1)
		}
		return protoreflect.ValueOfMessage(m)
	}
}

// drawStruct fills a free-form object. What can be in one is tested with the codec.
func drawStruct(t *rapid.T, m protoreflect.Message) {
	fields := m.Descriptor().Fields().ByName("fields")
	for i := range rapid.IntRange(0, 3).Draw(t, "members") {
		value := dynamicpb.NewMessage(fields.MapValue().Message())
		value.Set(value.Descriptor().Fields().ByName("string_value"), protoreflect.ValueOfString(rapid.String().Draw(t, "text")))
		m.Mutable(fields).Map().Set(protoreflect.ValueOfString(strconv.Itoa(i)).MapKey(), protoreflect.ValueOfMessage(value))
	}
}

func parse(e *upstream.Endpoint, m proto.Message, query, body string, values ...string) error {
	return e.Parse(m.ProtoReflect(), values, query, []byte(body))
}

// TestParseQuery: every form in which an official client sends a parameter.
func TestParseQuery(t *testing.T) {
	t.Parallel()
	type logs = adminv1.ListAuditLogsRequest
	at := func(seconds int64) *timestamppb.Timestamp { return &timestamppb.Timestamp{Seconds: seconds} }
	e := endpoint(t, "AuditLogService.ListAuditLogs")
	for query, want := range map[string]*logs{
		"":                                  {},
		"&&":                                {},
		"limit=0":                           {Limit: proto.Int32(0)},
		"limit=-5&":                         {Limit: proto.Int32(-5)},
		"project_ids[]=b&project_ids[]=a":   {ProjectIds: []string{"b", "a"}},
		"project_ids%5B%5D=b":               {ProjectIds: []string{"b"}},
		"project_ids=b&project_ids=a":       {ProjectIds: []string{"b", "a"}},
		"project_ids=b&project_ids%5b%5d=a": {ProjectIds: []string{"b", "a"}},
		"project_ids[]=":                    {ProjectIds: []string{""}},
		"project_ids[]":                     {ProjectIds: []string{""}},
		"after":                             {After: proto.String("")},
		"after=a=b":                         {After: proto.String("a=b")},
		"after=a;limit=1":                   {After: proto.String("a;limit=1")},
		"after=a+b%20c%2Bd%26e":             {After: proto.String("a b c+d&e")},
		"after=%C3%A9é":                     {After: proto.String("éé")},
		"tenant_only=true":                  {TenantOnly: proto.Bool(true)},
		"effective_at[gt]=1&effective_at%5Blte%5D=-2": {EffectiveAt: &adminv1.AuditLogTimeRange{Gt: at(1), Lte: at(-2)}},
	} {
		got := &logs{Before: proto.String("from before")}
		if err := parse(e, got, query, ""); err != nil {
			t.Errorf("%s: %v", query, err)
		} else if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", query, diff)
		}
	}
}

func TestParseQueryRefuses(t *testing.T) {
	t.Parallel()
	e := endpoint(t, "AuditLogService.ListAuditLogs")
	long := strings.Repeat("x", 70_000)
	for query, field := range map[string]string{
		"limit=1&limit=1":                       "limit",
		"limit=1&limit=2":                       "limit",
		"effective_at[gt]=1&effective_at[gt]=1": "effective_at[gt]",
		"limit=":                                "limit",
		"limit":                                 "limit",
		"limit=1.0":                             "limit",
		"limit=+1":                              "limit",
		"limit=%2B1":                            "limit",
		"limit=01":                              "limit",
		"limit=-0":                              "limit",
		"limit=1e3":                             "limit",
		"limit=0x10":                            "limit",
		"limit=1_000":                           "limit",
		"limit=9223372036854775808":             "limit",
		"limit=null":                            "limit",
		"limit[]=1":                             "limit[]",
		"Limit=1":                               "Limit",
		"limit%20=1":                            "limit",
		"tenant_only=1":                         "tenant_only",
		"tenant_only=True":                      "tenant_only",
		"effective_at=1":                        "effective_at",
		"effective_at[]=1":                      "effective_at[]",
		"effective_at[gt][]=1":                  "effective_at[gt][]",
		"effective_at[gt]=now":                  "effective_at[gt]",
		"effective_at[gt]=1.5":                  "effective_at[gt]",
		"effective_at[gt]=253402300800":         "effective_at[gt]",
		"effective_at.gt=1":                     "effective_at.gt",
		"effective_at[ne]=1":                    "effective_at[ne]",
		"project_ids[0]=a":                      "project_ids[0]",
		"project_ids[][]=a":                     "project_ids[][]",
		"unknown=1":                             "unknown",
		"=1":                                    "",
		"=":                                     "",
		"after=%zz":                             "after",
		"after=%2":                              "after",
		"after=%ff":                             "after",
		"%zz=1":                                 "%zz",
		"update_mask=x":                         "update_mask",
		long + "=1":                             "query",
		"after=" + long:                         "query",
		long[:200] + "=1":                       long[:64],
		"a\x00\u202eb=1":                        "a  b",
		strings.Repeat("project_ids=a&", 1025):  "query",
	} {
		err := parse(e, &adminv1.ListAuditLogsRequest{}, query, "")
		bad, ok := errors.AsType[*upstream.RequestError](err)
		if !ok || bad.Field != field {
			t.Errorf("%.100s: got %v, want one that names %q", query, err, field)
		}
	}
	if err := parse(e, &adminv1.ListAuditLogsRequest{}, strings.Repeat("project_ids=a&", 1024), ""); err != nil {
		t.Errorf("as many as there may be: %v", err)
	}
	if err := parse(endpoint(t, "ProjectService.CreateProject"), &adminv1.CreateProjectRequest{}, "name=x", ""); err == nil {
		t.Error("a POST has a query")
	}
	if err := parse(endpoint(t, "ProjectService.GetProject"), &adminv1.GetProjectRequest{}, "project_id=x", "", "proj_1"); err == nil {
		t.Error("what is in the path may be in the query as well")
	}
	if err := parse(endpoint(t, "ProjectService.ListProjects"), &adminv1.ListProjectsRequest{}, "order=ASC", ""); err == nil {
		t.Error("an enum has another spelling")
	}
}

func TestParseBody(t *testing.T) {
	t.Parallel()
	update := endpoint(t, "ProjectService.UpdateProject")
	for body, field := range map[string]string{
		`{"name":"a","name":"b"}`:   "name",
		`{"name":"a","extra":1}`:    "extra",
		`{"project_id":"proj_2"}`:   "project_id",
		`{"update_mask":"name"}`:    "update_mask",
		`{"name":1}`:                "name",
		`{"Name":"a"}`:              "Name",
		`{"external_key_id":["a"]}`: "external_key_id",
		`[]`:                        "body",
		`null`:                      "body",
		`"name"`:                    "body",
	} {
		err := parse(update, &adminv1.UpdateProjectRequest{}, "", body, "proj_1")
		bad, ok := errors.AsType[*upstream.RequestError](err)
		if !ok || bad.Field != field {
			t.Errorf("%s: got %v, want one that names %q", body, err, field)
		}
	}
	for _, body := range []string{" ", "{", `{"name":"a"}{}`, `{"name":"a",}`, "{\"name\":\"\xff\"}", `{'name':'a'}`, "\ufeff{}"} {
		err := parse(update, &adminv1.UpdateProjectRequest{}, "", body, "proj_1")
		if _, ok := errors.AsType[*adminjson.SyntaxError](err); !ok {
			t.Errorf("%q: got %v, want a syntax error", body, err)
		}
	}
	for _, bodiless := range []*upstream.Endpoint{endpoint(t, "ProjectService.ArchiveProject"), endpoint(t, "ProjectService.GetProject"), endpoint(t, "UserService.DeleteUser")} {
		m := dynamicpb.NewMessage(bodiless.Variables()[0].ContainingMessage())
		if bad, ok := errors.AsType[*upstream.RequestError](parse(bodiless, m, "", "{}", "x")); !ok || bad.Field != "body" {
			t.Errorf("%s has a body", bodiless)
		}
	}
	m := &adminv1.UpdateProjectRequest{Name: proto.String("from before")}
	if err := parse(update, m, "", "", "proj_1"); err != nil || !proto.Equal(m, &adminv1.UpdateProjectRequest{ProjectId: "proj_1"}) {
		t.Errorf("no body: %v, %v", m, err)
	}
}

// TestNullsReachTheUpstream: a nullable member of a request with a mask is sent as
// null when a client sends null, and is not sent when a client does not send it. In a
// request without one, which creates something, null and absent mean the same.
func TestNullsReachTheUpstream(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	nullable := 0
	for _, e := range a.all {
		if !e.HasBody() {
			continue
		}
		fields := a.inputs[e].Fields()
		for i := range fields.Len() {
			field := fields.Get(i)
			mapping, _ := proto.GetExtension(field.Options(), optionsv1.E_Field).(*optionsv1.FieldMapping)
			if !mapping.GetNullable() {
				continue
			}
			nullable++
			m := dynamicpb.NewMessage(a.inputs[e])
			values := make([]string, len(e.Variables()))
			for i := range values {
				values[i] = "id_" + strconv.Itoa(i)
			}
			body, want := `{"`+string(field.Name())+`":null}`, `{}`
			if fieldmask.Of(a.inputs[e]) != nil {
				want = body
			}
			if err := e.Parse(m, values, "", []byte(body)); err != nil {
				t.Errorf("%s %s: %v", e, body, err)
				continue
			}
			if sent, err := e.Request(m); err != nil || withoutZeros(t, sent.Body) != want {
				t.Errorf("%s %s goes out as %s, %v", e, body, sent.Body, err)
			}
		}
	}
	if nullable < 18 {
		t.Errorf("only %d members may be null", nullable)
	}
}

// TestEmptyListsAreNotLost: a message cannot distinguish an empty list from an absent
// one, so a body has only lists that are always sent.
func TestEmptyListsAreNotLost(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	lists := 0
	for _, e := range a.all {
		if !e.HasBody() {
			continue
		}
		fields := a.inputs[e].Fields()
		for i := range fields.Len() {
			field := fields.Get(i)
			if !field.IsList() {
				continue
			}
			lists++
			declared, _ := proto.GetExtension(field.Options(), annotations.E_FieldBehavior).([]annotations.FieldBehavior)
			if len(declared) == 0 || declared[0] != annotations.FieldBehavior_REQUIRED {
				t.Errorf("%s: an empty list is the same as an absent one", field.FullName())
			}
		}
	}
	if lists == 0 {
		t.Error("no request has a list")
	}
}

// FuzzParse: a query and a body are sent on with the same meaning, or refused; nothing
// of them is ignored.
func FuzzParse(f *testing.F) {
	a := newAPI(f)
	for i, query := range []string{"limit=1", "project_ids[]=a&project_ids=b", "effective_at[gt]=1", "a=%", "order=asc&after=x", "start_time=1&group_by[]=x"} {
		f.Add(uint8(i*17), query, `{}`)
	}
	for i, body := range []string{`{"name":"a"}`, `{"name":null}`, `{"role_id":"x"}`, `{"certificate_ids":["a"]}`, `{"threshold_amount":1.50}`} {
		f.Add(uint8(i*23), "", body)
	}
	f.Fuzz(func(t *testing.T, which uint8, query, body string) {
		e := a.all[int(which)%len(a.all)]
		m := dynamicpb.NewMessage(a.inputs[e])
		values := make([]string, len(e.Variables()))
		for i := range values {
			values[i] = "id_" + strconv.Itoa(i)
		}
		if e.Parse(m, values, query, []byte(body)) != nil {
			return
		}
		sent, err := e.Request(m)
		if err != nil {
			if _, ok := errors.AsType[*upstream.RequestError](err); !ok {
				t.Fatalf("%s?%s %s: %v", e, query, body, err)
			}
			return
		}
		again := dynamicpb.NewMessage(a.inputs[e])
		if err := e.Parse(again, values, sent.Query, sent.Body); err != nil {
			t.Fatalf("%s?%s %s went out as %s %s: %v", e, query, body, sent.Query, sent.Body, err)
		}
		if !proto.Equal(m, again) {
			t.Errorf("%s?%s %s went out as %s %s:\n%s", e, query, body, sent.Query, sent.Body, cmp.Diff(m, again, protocmp.Transform()))
		}
	})
}

// withoutZeros is a body without the members that a request always has: an empty
// name, which validation refuses.
func withoutZeros(t *testing.T, body []byte) string {
	t.Helper()
	var members map[string]any
	if err := json.Unmarshal(body, &members); err != nil {
		t.Fatal(err)
	}
	for name, value := range members {
		if list, ok := value.([]any); ok && len(list) == 0 || value == "" || value == false {
			delete(members, name)
		}
	}
	sent, err := json.Marshal(members)
	if err != nil {
		t.Fatal(err)
	}
	return string(sent)
}
