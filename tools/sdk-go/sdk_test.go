package main

import (
	"context"
	"errors"
	"net/http"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"

	"github.com/admin-gateway/admin-gateway/sandbox"
)

var binary string // the gateway's, built once

func TestMain(m *testing.M) {
	folder, err := os.MkdirTemp("", "sdk-go-")
	if err != nil {
		panic(err)
	}
	if binary, err = buildGateway(context.Background(), folder); err != nil {
		panic(err)
	}
	m.Run()
	_ = os.RemoveAll(folder)
}

func client(p place) openai.Client {
	return openai.NewClient(option.WithBaseURL(p.url), option.WithAdminAPIKey(p.key))
}

func open(t *testing.T) *testbed {
	t.Helper()
	h, err := openTestbed(t.Context(), binary, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.close(); err != nil {
			t.Error(err)
		}
	})
	return h
}

// method finds a method of the SDK; the names of its services are fields.
func method(c openai.Client, name string) (reflect.Value, bool) {
	names := goNames(name)
	v := reflect.ValueOf(&c.Admin.Organization).Elem()
	for _, service := range names[:len(names)-1] {
		if v = v.FieldByName(service); !v.IsValid() {
			return v, false
		}
	}
	v = v.Addr().MethodByName(names[len(names)-1])
	return v, v.IsValid()
}

// call makes one operation, and returns the SDK's result.
func call(ctx context.Context, c openai.Client, o operation, w world) (answer string, err error) {
	m, ok := method(c, o.method)
	if !ok {
		return "", errors.New("the SDK has no such method")
	}
	in := []reflect.Value{reflect.ValueOf(ctx)}
	for _, id := range o.ids {
		in = append(in, reflect.ValueOf(w.fill(id)))
	}
	if m.Type().NumIn() == len(in)+2 { // Parameters, and then options.
		params := reflect.New(m.Type().In(len(in))).Elem()
		if err := setParams(params, w.fill(o.params)); err != nil {
			return "", err
		}
		in = append(in, params)
	} else if o.params != "" || m.Type().NumIn() != len(in)+1 {
		return "", errors.New("the SDK's method takes other parameters")
	}
	out := m.Call(in)
	if err, ok := out[1].Interface().(error); ok {
		return "", err
	}
	said, ok := out[0].Interface().(interface{ RawJSON() string })
	if !ok {
		return "", errors.New("the SDK's answer does not have the raw response")
	}
	return said.RawJSON(), nil
}

// TestEveryOperation calls every operation of the SDK, directly and through the
// gateway: the results are the same.
func TestEveryOperation(t *testing.T) {
	t.Parallel()
	h := open(t)
	direct, through := client(h.direct), client(h.gateway)
	past, w := world{"pem": h.pem}, world{"pem": h.pem}
	all := readOperations(t)
	done := map[string]bool{}
	for _, o := range all {
		want, err := call(t.Context(), direct, o, past)
		if err != nil {
			t.Fatalf("operations.txt:%d: %s, directly: %v", o.line, o.method, err)
		}
		got, err := call(t.Context(), through, o, w)
		if err != nil {
			t.Fatalf("operations.txt:%d: %s: %v", o.line, o.method, err)
		}
		if got != want || got == "" {
			t.Errorf("operations.txt:%d: %s: got %s, want %s", o.line, o.method, got, want)
		}
		if err := errors.Join(past.learn(o, []byte(want)), w.learn(o, []byte(got))); err != nil {
			t.Fatalf("operations.txt:%d: %v", o.line, err)
		}
		done[strings.Join(goNames(o.method), ".")] = true
	}
	methods := methodsOf(reflect.TypeFor[openai.AdminOrganizationService](), "")
	for _, path := range methods {
		if !done[path] {
			t.Errorf("%s is not called", path)
		}
	}
	if len(methods) != len(done) || len(methods) != 143 {
		t.Errorf("the SDK has %d operations, %d were called", len(methods), len(done))
	}
	t.Logf("%d operations in %d calls", len(done), len(all))
}

// methodsOf lists the methods of a service and of those below it.
func methodsOf(service reflect.Type, path string) (all []string) {
	pointer := reflect.PointerTo(service)
	for i := range pointer.NumMethod() {
		if name := pointer.Method(i).Name; !strings.HasSuffix(name, "AutoPaging") {
			all = append(all, path+name)
		}
	}
	for i := range service.NumField() {
		if field := service.Field(i); field.IsExported() && strings.HasSuffix(field.Type.Name(), "Service") {
			all = append(all, methodsOf(field.Type, path+field.Name+".")...)
		}
	}
	return all
}

// TestPaging walks a list as the SDK does, in small pages.
func TestPaging(t *testing.T) {
	t.Parallel()
	h := open(t)
	list := func(p place) (ids []string) {
		c := client(p)
		users := c.Admin.Organization.Users.ListAutoPaging(t.Context(), openai.AdminOrganizationUserListParams{Limit: openai.Int(7)})
		for users.Next() {
			ids = append(ids, users.Current().ID)
		}
		if err := users.Err(); err != nil {
			t.Fatal(err)
		}
		return ids
	}
	if want, got := list(h.direct), list(h.gateway); len(want) < 50 || !slices.Equal(want, got) {
		t.Errorf("got %d users, want %d", len(got), len(want))
	}
}

// TestErrors: the SDK reads the gateway's errors as it reads the upstream's.
func TestErrors(t *testing.T) {
	t.Parallel()
	h := open(t)
	create := func(p place) error {
		c := client(p)
		_, err := c.Admin.Organization.Projects.New(t.Context(), openai.AdminOrganizationProjectNewParams{Name: "mine"})
		return err
	}
	retrieve := func(p place) error {
		c := client(p)
		_, err := c.Admin.Organization.Projects.Get(t.Context(), "proj_nobody")
		return err
	}
	for what, test := range map[string]struct {
		err    error
		status int
		kind   string
		code   string
	}{
		"no permission":       {create(h.reader), http.StatusForbidden, "permission_error", "permission_denied"},
		"no such token":       {create(place{h.gateway.url, "agw_wrong"}), http.StatusUnauthorized, "authentication_error", "unauthenticated"},
		"the upstream's key":  {create(place{h.gateway.url, sandbox.DefaultAdminKey}), http.StatusUnauthorized, "authentication_error", "unauthenticated"},
		"not found, directly": {retrieve(h.direct), http.StatusNotFound, "invalid_request_error", ""},
		"not found":           {retrieve(h.gateway), http.StatusNotFound, "invalid_request_error", ""},
	} {
		e, ok := errors.AsType[*openai.Error](test.err)
		if !ok || e.StatusCode != test.status || e.Type != test.kind || test.code != "" && e.Code != test.code || e.Message == "" {
			t.Errorf("%s: %v", what, test.err)
		}
	}
}

// TestLostWriteIsNotRepeated: the SDK repeats a write whose answer is lost, and so
// makes two objects instead of one. Behind the gateway it does not.
func TestLostWriteIsNotRepeated(t *testing.T) {
	t.Parallel()
	h := open(t)
	const op = "POST /organization/projects"
	defer h.behind.Inject(sandbox.Fault{Op: op, Kind: sandbox.Lost})()
	c := client(h.gateway)
	_, err := c.Admin.Organization.Projects.New(t.Context(), openai.AdminOrganizationProjectNewParams{Name: "mine"})
	e, ok := errors.AsType[*openai.Error](err)
	if !ok || e.StatusCode != http.StatusFailedDependency || e.Code != "outcome_unknown" {
		t.Errorf("got %v", err)
	}
	if n := h.behind.Count(op); n != 1 {
		t.Errorf("%d projects were made", n)
	}
}
