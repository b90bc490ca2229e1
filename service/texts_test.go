package service_test

import (
	"slices"
	"testing"

	"connectrpc.com/connect/v2"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
	"github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1/adminv1connect"
	optionsv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/options/v1"
	"github.com/admin-gateway/admin-gateway/internal/catalogtest"
	"github.com/admin-gateway/admin-gateway/internal/fieldmask"
	"github.com/admin-gateway/admin-gateway/internal/gatewaytest"
	"github.com/admin-gateway/admin-gateway/internal/textkind"
)

// disguises are spellings that a server could read as "owner", or as a list with it.
var disguises = []string{
	"owner ", " owner", "owner\t", "owner\u00a0", "owner\u200b", "owner%20", "member,owner", "ow\u043der", "own\u00e9r", "owner\x00", "owner\n", "\ufeffowner", "owner;", `"owner"`, "",
}

// textPlace is a string field of a request, at any depth.
type textPlace struct {
	path []protoreflect.FieldDescriptor
	kind optionsv1.TextKind
}

// textPlaces finds the ids and words of a request.
func textPlaces(message protoreflect.MessageDescriptor, above []protoreflect.FieldDescriptor) []textPlace {
	var places []textPlace
	for i := range message.Fields().Len() {
		field := message.Fields().Get(i)
		path := append(slices.Clone(above), field)
		switch {
		case field.IsMap() || fieldmask.Is(field):
		case field.Message() != nil:
			places = append(places, textPlaces(field.Message(), path)...)
		case field.Kind() == protoreflect.StringKind:
			if kind := textkind.Of(field); kind == optionsv1.TextKind_TEXT_KIND_ID || kind == optionsv1.TextKind_TEXT_KIND_WORD {
				places = append(places, textPlace{path, kind})
			}
		}
	}
	return places
}

// put sets the text, alone in each list on the way, and returns the name of the place
// in an error.
func (p textPlace) put(message protoreflect.Message, text string) string {
	name := ""
	for i, field := range p.path {
		name += string(field.Name())
		if i == len(p.path)-1 {
			if !field.IsList() {
				message.Set(field, protoreflect.ValueOfString(text))
				return name
			}
			message.Clear(field)
			message.Mutable(field).List().Append(protoreflect.ValueOfString(text))
			return name + "[0]"
		}
		switch {
		case field.IsList() && message.Get(field).List().Len() > 0:
			message = message.Mutable(field).List().Get(0).Message()
			name += "[0]."
		case field.IsList():
			message = message.Mutable(field).List().AppendMutable().Message()
			fillEnums(message)
			name += "[0]."
		default:
			message = message.Mutable(field).Message()
			name += "."
		}
	}
	return name
}

// fillEnums gives every enum of a new element its first value: none may be unspecified.
func fillEnums(message protoreflect.Message) {
	fields := message.Descriptor().Fields()
	for i := range fields.Len() {
		if enum := fields.Get(i).Enum(); enum != nil {
			message.Set(fields.Get(i), protoreflect.ValueOfEnum(enum.Values().Get(1).Number()))
		}
	}
}

// inPath says whether the text is a segment of the path, where an empty one is no
// request of the REST door.
func (p textPlace) inPath(s stop) bool { return slices.Contains(s.method.Variables(), p.path[0]) }

// TestNoTextPassesForAnother: every id and every word of every request, at any depth, in
// every disguise. Each door refuses it and names the field, so that no deny of a policy
// is about another text than the upstream reads. In process there are all disguises; at
// the other doors, which lead to the same decision, some of them in turn.
func TestNoTextPassesForAnother(t *testing.T) {
	t.Parallel()
	for _, d := range append([]gatewaytest.Door{{Name: "in process"}}, doors...) {
		t.Run(d.Name, func(t *testing.T) {
			t.Parallel()
			up := new(sent)
			gw := &tourGateway{gatewaytest.New(t, gatewaytest.WithUpstream(up))}
			w := validTourValues(t)
			ids, words, turn := 0, 0, 0
			for _, s := range readTour(t, catalogtest.Gateway(t)) {
				for _, place := range textPlaces(s.method.Request.Descriptor(), nil) {
					these := disguises
					if place.kind == optionsv1.TextKind_TEXT_KIND_WORD {
						these, words = append(slices.Clone(these), "Owner", "OWNER"), words+1
					} else {
						ids++
					}
					if d.Name != "in process" {
						turn++
						these = []string{these[turn%len(these)]}
					}
					for _, text := range these {
						gw.wantRefused(t, d, s, w, place, text)
					}
				}
			}
			if ids < 200 || words < 14 {
				t.Errorf("%d ids and %d words", ids, words)
			}
			if asked := up.take(); len(asked) > 0 {
				t.Errorf("the upstream was asked %d times", len(asked))
			}
		})
	}
}

func (gw *tourGateway) wantRefused(t *testing.T, d gatewaytest.Door, s stop, w tourValues, place textPlace, text string) {
	t.Helper()
	request := s.message(t, w)
	message := request.ProtoReflect()
	if mask := fieldmask.Of(message.Descriptor()); mask != nil {
		message.Clear(mask)
	}
	name := place.put(message, text)
	if last := place.path[len(place.path)-1]; text == "" && len(place.path) == 1 && !last.HasPresence() && !last.IsList() && !place.inPath(s) {
		return // Not there at all: whether it has to be is another rule.
	}
	what := s.method.ShortName() + ", " + name + " = " + text
	var err error
	if d.Name == "in process" {
		err = gatewaytest.As("root", gw.InProcess()).CallUnary(t.Context(), connect.Spec{StreamType: connect.StreamTypeUnary, Procedure: s.method.Procedure, Schema: s.method.Descriptor}, request, s.method.Response.New().Interface())
	} else {
		err = gw.call(t.Context(), d, s.method, request, s.method.Response.New().Interface())
	}
	if d.REST && place.inPath(s) {
		if code := connect.CodeOf(err); code != connect.CodeNotFound && code != connect.CodeInvalidArgument {
			t.Errorf("%s: %v", what, err)
		}
		return
	}
	wantViolation(t, what, err, name)
}

// TestWordsThatPoliciesAreAbout: what gives rights is a word, an id or an enum in every
// request.
func TestWordsThatPoliciesAreAbout(t *testing.T) {
	t.Parallel()
	found := 0
	for _, m := range catalogtest.Gateway(t).Mirrored() {
		for _, name := range []protoreflect.Name{"role", "permissions", "scopes", "event_types"} {
			field := m.Request.Descriptor().Fields().ByName(name)
			if field == nil || field.Kind() != protoreflect.StringKind {
				continue
			}
			found++
			if kind := textkind.Of(field); kind != optionsv1.TextKind_TEXT_KIND_WORD && kind != optionsv1.TextKind_TEXT_KIND_ID {
				t.Errorf("%s is %v", field.FullName(), kind)
			}
		}
	}
	if found < 6 {
		t.Errorf("only %d fields", found)
	}
}

// TestDeniedProjectsInAnyCase: a deny closes a project in any case, and a grant opens it
// in its own alone.
func TestDeniedProjectsInAnyCase(t *testing.T) {
	t.Parallel()
	up := new(sent)
	gw := gatewaytest.New(t, gatewaytest.WithUpstream(up), gatewaytest.WithPolicy(`
callers:
  - name: denied
    authenticate: [{token_sha256: $denied}]
    grants: [{permissions: ["*"]}]
    denies: [{permissions: ["*"], projects: [proj_Secret]}]
    limits: $free
  - name: granted
    authenticate: [{token_sha256: $granted}]
    grants: [{permissions: ["*"], projects: [proj_Secret]}]
    limits: $free
`))
	for id, allowed := range map[string]map[string]bool{
		"proj_Secret":  {"granted": true},
		"proj_secret":  {},
		"PROJ_SECRET":  {},
		"proj_SECRET":  {},
		"proj_Secret_": {"denied": true},
	} {
		for _, caller := range []string{"denied", "granted"} {
			up.take()
			client := adminv1connect.NewProjectServiceClient(gw.Client(caller))
			_, err := client.UpdateProject(t.Context(), &adminv1.UpdateProjectRequest{ProjectId: id, Name: proto.String("a")})
			asked := len(up.take())
			if allowed[caller] != (asked == 1) || !allowed[caller] && connect.CodeOf(err) != connect.CodePermissionDenied {
				t.Errorf("%s in %s: asked %d times, %v", caller, id, asked, err)
			}
		}
	}
}

// TestInventoriesTakeTextsOfTheirKind: the ids of an inventory are checked before its
// decision too, so that a condition on them is about what the reads send.
func TestInventoriesTakeTextsOfTheirKind(t *testing.T) {
	t.Parallel()
	gw := &tourGateway{gatewaytest.New(t, gatewaytest.WithUpstream(new(sent)))}
	places := 0
	for _, method := range inventories(gw.Catalog) {
		for _, place := range textPlaces(method.Request.Descriptor(), nil) {
			places++
			for _, text := range disguises {
				request := anyRequest(method)
				name := place.put(request, text)
				_, err := gw.stream(t.Context(), doors[0], "root", method, request)
				if connect.CodeOf(err) != connect.CodeInvalidArgument {
					t.Errorf("%s takes %q as %s: %v", method.ShortName(), text, name, err)
				}
			}
		}
	}
	if places < 20 {
		t.Errorf("%d places", places)
	}
}
