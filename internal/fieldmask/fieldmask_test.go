package fieldmask_test

import (
	"testing"

	"google.golang.org/protobuf/types/known/fieldmaskpb"

	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
	"github.com/admin-gateway/admin-gateway/internal/fieldmask"
)

func TestMask(t *testing.T) {
	t.Parallel()
	request := &adminv1.UpdateProjectRequest{}
	m := request.ProtoReflect()
	mask := fieldmask.Of(m.Descriptor())
	if mask == nil || mask.Name() != "update_mask" || !fieldmask.Is(mask) {
		t.Fatalf("the mask is %v", mask)
	}
	if fieldmask.Names(m, mask, "name") || fieldmask.Paths(m, mask).Len() != 0 || request.UpdateMask != nil {
		t.Error("a mask that is not set names something, or was set by looking")
	}
	fieldmask.Add(m, mask, "name")
	fieldmask.Add(m, mask, "name")
	if got := request.GetUpdateMask().GetPaths(); len(got) != 1 || got[0] != "name" || !fieldmask.Names(m, mask, "name") {
		t.Errorf("the mask has %q", got)
	}
	if found := fieldmask.Of((&fieldmaskpb.FieldMask{}).ProtoReflect().Descriptor()); found != nil {
		t.Errorf("a mask has the mask %v", found)
	}
}
