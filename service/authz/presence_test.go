package authz_test

import (
	"slices"
	"strconv"
	"testing"

	"google.golang.org/protobuf/types/dynamicpb"

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
				if got := policy.Decide("me", h, dynamicpb.NewMessage(m.Request)); got.Reason != want {
					t.Errorf("%s: %s: %v, want %v", m.Procedure, when, got.Reason, want)
				}
			}
		}
	}
	if fields < 100 {
		t.Errorf("%d fields that can be unset", fields)
	}
}
