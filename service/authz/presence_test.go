package authz_test

import (
	"fmt"
	"slices"
	"strconv"
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/admin-gateway/admin-gateway/internal/fieldmask"
	"github.com/admin-gateway/admin-gateway/service/authz"
)

// TestUnsetFieldsDeny: of every request, every field that can be unset: to read it is
// to be denied, and has() asks first. A condition about a limit would otherwise hold
// for a request without it.
func TestUnsetFieldsDeny(t *testing.T) {
	t.Parallel()
	declared := slices.Clone(declarations())
	for i := range declared {
		declared[i].Permission = "each.m" + strconv.Itoa(i) // A condition has to fit all that its permission opens.
	}
	methods, err := authz.NewMethods(declared)
	if err != nil {
		t.Fatal(err)
	}
	fields := 0
	for _, m := range declared {
		for i := range m.Request.Fields().Len() {
			field := m.Request.Fields().Get(i)
			if !field.HasPresence() {
				continue
			}
			fields++
			name := "request." + string(field.Name())
			for when, want := range map[string]authz.Reason{
				name + " == " + name:                            authz.ConditionFailed,
				"!has(" + name + ") || " + name + " == " + name: authz.Granted,
				"has(" + name + ") && " + name + " == " + name:  authz.ConditionFalse,
			} {
				h, _ := methods.Lookup(m.Procedure)
				policy, err := authz.Compile([]authz.Caller{{Name: "me", Grants: grants{{Permissions: words{m.Permission}, When: when}}}}, methods)
				if err != nil {
					t.Errorf("%s: %s: %v", m.Procedure, when, err)
					continue
				}
				if got := policy.Decide("me", h, dynamicpb.NewMessage(m.Request), moment); got.Reason != want {
					t.Errorf("%s: %s: %v, want %v", m.Procedure, when, got.Reason, want)
				}
			}
		}
	}
	if fields < 100 {
		t.Errorf("%d fields that can be unset", fields)
	}
}

// TestAMaskedFieldIsThere: of every request with a mask, every field that the mask can
// name. Where it names one that is not set, the request clears it: has() says so, in a
// grant and in a deny, and to read it is no failure.
func TestAMaskedFieldIsThere(t *testing.T) {
	t.Parallel()
	declared := slices.Clone(declarations())
	for i := range declared {
		declared[i].Permission = "each.m" + strconv.Itoa(i)
	}
	methods, err := authz.NewMethods(declared)
	if err != nil {
		t.Fatal(err)
	}
	fields := 0
	for _, m := range declared {
		mask := fieldmask.Of(m.Request)
		if mask == nil {
			continue
		}
		h, _ := methods.Lookup(m.Procedure)
		for i := range m.Request.Fields().Len() {
			field := m.Request.Fields().Get(i)
			if field == mask {
				continue
			}
			fields++
			cleared, other := dynamicpb.NewMessage(m.Request), dynamicpb.NewMessage(m.Request)
			fieldmask.Add(cleared, mask, field.Name())
			fieldmask.Add(other, mask, "another_field")
			for when, want := range map[string]struct{ cleared, other authz.Reason }{
				"has(request.%[1]s)":  {authz.Granted, authz.ConditionFalse},
				"!has(request.%[1]s)": {authz.ConditionFalse, authz.Granted},
				"has(request.%[1]s) && request.%[1]s == request.%[1]s":          {authz.Granted, authz.ConditionFalse},
				"has(request.%[1]s) && [request].all(r, has(r.%[1]s))":          {authz.Granted, authz.ConditionFalse},
				"has(request.%[1]s) && has([request].filter(r, true)[0].%[1]s)": {authz.Granted, authz.ConditionFalse},
			} {
				rule := authz.Grant{Permissions: words{m.Permission}, When: fmt.Sprintf(when, field.Name())}
				granted := compilePolicy(t, methods, authz.Caller{Name: "me", Grants: grants{rule}})
				denied := compilePolicy(t, methods, authz.Caller{Name: "me", Grants: grants{permissions("*")}, Denies: grants{rule}})
				for request, want := range map[protoreflect.Message]authz.Reason{cleared: want.cleared, other: want.other} {
					if d := granted.Decide("me", h, request, moment); d.Reason != want {
						t.Errorf("%s: %s: %v, want %v", m.Procedure, rule.When, d.Reason, want)
					}
					if d := denied.Decide("me", h, request, moment); d.Allowed != (want != authz.Granted) {
						t.Errorf("%s: deny %s: %v", m.Procedure, rule.When, d.Reason)
					}
				}
			}
		}
	}
	if fields < 15 {
		t.Errorf("%d fields", fields)
	}
}
