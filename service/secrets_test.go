package service_test

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"

	"github.com/admin-gateway/admin-gateway/sandbox"
)

// TestSecretsAreNotTold makes every call with and without faults, and looks for
// the admin key and every created key in all that the gateway says: its logs and
// its errors, and every answer but the one that shows the key.
func TestSecretsAreNotTold(t *testing.T) {
	t.Parallel()
	m := newMirror(t, sandbox.Options{})
	w := newWorld(t)
	secrets := []string{sandbox.DefaultAdminKey}
	var told strings.Builder
	for _, s := range readTour(t, m.catalog) {
		request, response := s.message(t, w), s.method.Response.New().Interface()
		if err := m.call(t.Context(), doors[1], s.method, request, response); err != nil {
			t.Fatalf("%s: %v", s.method.Name(), err)
		}
		s.learn(t, w, response)
		if s.method.Secret {
			_, said := m.last()
			secrets = append(secrets, valuesOf(decodeJSON(t, said.body))...)
			continue
		}
		text, err := protojson.Marshal(response)
		if err != nil {
			t.Fatal(err)
		}
		told.Write(text)
	}
	if len(secrets) < 4 {
		t.Fatalf("only %d secrets to look for", len(secrets))
	}
	for _, fault := range []sandbox.Fault{
		{Kind: sandbox.Refuse, Status: 401, Message: "Incorrect API key provided: " + sandbox.DefaultAdminKey},
		{Kind: sandbox.Refuse, Status: 400, Message: "bad key " + strings.Join(secrets, " ")},
		{Kind: sandbox.Refuse, Status: 500, Message: "oops " + sandbox.DefaultAdminKey},
		{Kind: sandbox.Redirect, Location: "https://elsewhere.example/?key=" + sandbox.DefaultAdminKey},
		{Kind: sandbox.Lost}, {Kind: sandbox.Cut}, {Kind: sandbox.HTML}, {Kind: sandbox.WrongType, Variant: "members"},
	} {
		fault.Op = "*"
		remove := m.fake.Inject(fault)
		for _, s := range readTour(t, m.catalog) {
			err := m.call(t.Context(), doors[1], s.method, s.message(t, w), s.method.Response.New().Interface())
			if err == nil {
				continue // Some answers survive members of another type.
			}
			told.WriteString(everything(err))
		}
		remove()
	}
	told.WriteString(m.logs.text())
	for _, secret := range secrets {
		if at := strings.Index(told.String(), secret); at >= 0 {
			t.Errorf("%.8s… was told: %s", secret, told.String()[max(0, at-200):min(told.Len(), at+100)])
		}
	}
}

// valuesOf finds the members that hold a key.
func valuesOf(v any) []string {
	var found []string
	object, _ := v.(map[string]any)
	for name, member := range object {
		if text, ok := member.(string); ok && name == "value" {
			found = append(found, text)
		}
		found = append(found, valuesOf(member)...)
	}
	return found
}
