package adminjson

import (
	"fmt"
	"strings"
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
)

// TestDriftNamesOnlyWhatLooksLikeAName: an entry has the name of an unknown member where
// that is one, and no key, id or address that stands in its place.
func TestDriftNamesOnlyWhatLooksLikeAName(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		"", "sk-admin-0123456789abcdef", "sk-proj-abc", "user@example.com", "a b", "a.b", "a-b", "\x1b[31m", "naïve", "a\nb", "{}",
		"agw_mUnvGVD7y8cjEDBYOyqFD0G3vZ1hZzV3z7gq5hJm1xk", "proj_AMjpb18YUsKrQRxdhIYi6Sn7", "key_8f3a1c9e0b7d4f2a6c5e",
		"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", "c2stYWRtaW4tMDEyMzQ1Njc4OWFiY2RlZg",
		strings.Repeat("abcdefghijklmnopqrstuvwxyz", 2), strings.Repeat("a_", 33),
	} {
		if got := label(name); got != OtherMember {
			t.Errorf("%q is counted as %q", name, got)
		}
	}
	for _, name := range []string{"new", "other", "last_used_at", "batch_1_day_max_input_tokens", "maxInputTokensPerMinute", "sha256", "x1", "object2", "_type", "URL"} {
		if got := label(name); got != name {
			t.Errorf("%q is counted as %q", name, got)
		}
	}
}

// TestDriftNamesWhatTheAPIHas: every name that the API has today would be told, were it
// new.
func TestDriftNamesWhatTheAPIHas(t *testing.T) {
	t.Parallel()
	names := 0
	var walk func(protoreflect.MessageDescriptors)
	walk = func(messages protoreflect.MessageDescriptors) {
		for i := range messages.Len() {
			fields := messages.Get(i).Fields()
			for j := range fields.Len() {
				names++
				if name := string(fields.Get(j).Name()); label(name) != name {
					t.Errorf("%s.%s is counted as %q", messages.Get(i).FullName(), name, label(name))
				}
			}
			walk(messages.Get(i).Messages())
		}
	}
	protoregistry.GlobalFiles.RangeFilesByPackage(adminv1.File_admingateway_admin_v1_project_proto.Package(), func(file protoreflect.FileDescriptor) bool {
		walk(file.Messages())
		return true
	})
	if names < 1000 {
		t.Errorf("only %d names were looked at", names)
	}
}

// TestDriftOfKeysIsOneEntry: answers that have their ids as names make one entry.
func TestDriftOfKeysIsOneEntry(t *testing.T) {
	t.Parallel()
	var drift Drift
	for i := range 100 {
		drift.add("test.All", fmt.Sprintf("user-%d", i), UnknownField)
	}
	if got := drift.Snapshot(); len(got) != 1 || got[0] != (DriftEntry{Message: "test.All", Member: OtherMember, Kind: UnknownField, Count: 100}) {
		t.Errorf("got %v", got)
	}
}
