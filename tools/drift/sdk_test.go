package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
)

// realSDK is the operations of the pinned SDK, which comes from the registry or the
// module cache. Reading its 30,000 lines once is enough.
var realSDK = sync.OnceValues(func() (string, error) {
	m, err := fetchSDK(context.Background(), pinned)
	return m.Dir, err
})

func TestProtosMirrorTheSDK(t *testing.T) {
	t.Parallel()
	folder, err := realSDK()
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := checkSDK(&out, folder, allowedSDK, protoregistry.GlobalFiles); err != nil {
		t.Errorf("%v:\n%s", err, &out)
	}
}

// A field, a value of an enum and an rpc taken from the real protos are each found by
// name in the SDK.
func TestMutationOfTheRealProtosIsFoundInTheSDK(t *testing.T) {
	t.Parallel()
	folder, err := realSDK()
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		change func(*testing.T, *descriptorpb.FileDescriptorSet)
		want   string
	}{
		"member of an answer": {
			change: func(t *testing.T, set *descriptorpb.FileDescriptorSet) {
				edit(t, set, "User", func(m *descriptorpb.DescriptorProto) { m.Field = withoutNamed(t, m.GetField(), "added_at") })
			},
			want: "GET /organization/users/{user_id}\tsdk\tresponse.added_at\tinteger",
		},
		"member of a body": {
			change: func(t *testing.T, set *descriptorpb.FileDescriptorSet) {
				edit(t, set, "CreateProjectRequest", func(m *descriptorpb.DescriptorProto) { m.Field = withoutNamed(t, m.GetField(), "name") })
			},
			want: "POST /organization/projects\tsdk\tbody.name\tstring",
		},
		"parameter": {
			change: func(t *testing.T, set *descriptorpb.FileDescriptorSet) {
				edit(t, set, "ListUsersRequest", func(m *descriptorpb.DescriptorProto) { m.Field = withoutNamed(t, m.GetField(), "emails") })
			},
			want: "GET /organization/users\tsdk\tquery.emails\tarray",
		},
		"value": {
			change: func(t *testing.T, set *descriptorpb.FileDescriptorSet) {
				for _, file := range set.GetFile() {
					for _, enum := range file.GetEnumType() {
						if file.GetPackage() == mirrorPackage && enum.GetName() == "ProjectDataRetentionType" {
							enum.Value = slices.Delete(enum.GetValue(), 1, 2)
							return
						}
					}
				}
				t.Fatal("no such enum")
			},
			want: "GET /organization/projects/{project_id}/data_retention\tsdk\tresponse.type\tenum value \"organization_default\"",
		},
		"rpc": {
			change: func(t *testing.T, set *descriptorpb.FileDescriptorSet) {
				for _, file := range set.GetFile() {
					for _, service := range file.GetService() {
						if file.GetPackage() == mirrorPackage && service.GetName() == "UserService" {
							service.Method = withoutNamed(t, service.GetMethod(), "GetUser")
							return
						}
					}
				}
				t.Fatal("no such service")
			},
			want: "GET /organization/users/{user_id}\tsdk\t-\toperation",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			before := sdkLines(t, folder, allowedSDK, protoregistry.GlobalFiles)
			set := realProtos()
			test.change(t, set)
			after := sdkLines(t, folder, allowedSDK, built(t, set))
			if !slices.Contains(after, test.want) || slices.Contains(before, test.want) {
				t.Errorf("the mutation is not found: %s\n%s", test.want, strings.Join(after, "\n"))
			}
		})
	}
}

// withoutNamed takes the one with that name from the list.
func withoutNamed[D interface{ GetName() string }](t *testing.T, all []D, name string) []D {
	t.Helper()
	i := slices.IndexFunc(all, func(d D) bool { return d.GetName() == name })
	if i < 0 {
		t.Fatalf("no %s", name)
	}
	return slices.Delete(all, i, i+1)
}

// sdkLines returns the differences from the SDK in the folder that the list does not
// explain.
func sdkLines(t *testing.T, folder string, list []byte, files *protoregistry.Files) []string {
	t.Helper()
	var out bytes.Buffer
	if err := checkSDK(&out, folder, list, files); err != nil && !errors.Is(err, errDrift) {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
}

// sdkOf writes an SDK of one file, and returns its folder.
func sdkOf(t *testing.T, source string) string {
	t.Helper()
	folder := t.TempDir()
	for name, text := range map[string]string{"admin.go": source, "admin_test.go": "of no interest", "shared/constant/constants.go": variantConstants} {
		file := filepath.Join(folder, filepath.FromSlash(name))
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o700), os.WriteFile(file, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

func TestReportOfTheNewestIsNoFailure(t *testing.T) {
	t.Parallel()
	files := compiled(t, strings.Replace(variantProto, "string name = 2", "string title = 2", 1))
	var out bytes.Buffer
	if err := reportSDK(&out, sdkOf(t, variantSDK), nil, files); err != nil {
		t.Error(err)
	}
	// What the protos alone have is no news.
	want := "POST /vaults/{vault_id}\tsdk\tbody(aws).name\tstring\n" +
		"POST /vaults/{vault_id}\tsdk\tbody(gcp).name\tstring\n2 lines: what it has beyond the protos\n"
	if out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
	if err := reportSDK(&out, t.TempDir(), nil, files); err == nil {
		t.Error("an SDK without operations is reported as one without news")
	}
}

func TestSDKThatIsNotUnderstoodIsRefused(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		edit [2]string
		want string
	}{
		"type":     {[2]string{`Tags []string`, `Tags []complex128`}, `"openai.complex128" is not understood`},
		"path":     {[2]string{`"vaults/%s"`, `"vaults/%s/%s"`}, "other variables"},
		"verb":     {[2]string{`http.MethodPost`, `verb`}, "no verb"},
		"union":    {[2]string{`"type" default:"aws"`, `"kind" default:"aws"`}, "no constant distinguishes"},
		"variants": {[2]string{`OfBool   param.Opt[bool]`, `OfBool   param.Opt[string]`}, "two of string"},
		"syntax":   {[2]string{`package openai`, `package`}, "expected"},
		"services": {[2]string{`AdminVaultService) New(`, `VaultService) New(`}, "no admin services"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := readSDK(sdkOf(t, replaced(t, variantSDK, test.edit)))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("readSDK = %v, want an error about %q", err, test.want)
			}
		})
	}
}
