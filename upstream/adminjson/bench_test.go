package adminjson_test

import (
	stdjson "encoding/json"
	"fmt"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
	"github.com/admin-gateway/admin-gateway/upstream/adminjson"
)

// projectsPage is a page of 100 projects as the upstream sends it.
func projectsPage() []byte {
	var b strings.Builder
	b.WriteString(`{"object":"list","data":[`)
	for i := range 100 {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"id":"proj_%024d","object":"organization.project","name":"Project number %d","created_at":%d,"archived_at":null,"status":"active"}`, i, i, 1711471533+i)
	}
	fmt.Fprintf(&b, `],"first_id":"proj_%024d","last_id":"proj_%024d","has_more":true}`, 0, 99)
	return []byte(b.String())
}

// projectsStruct is the type into which a hand-written client decodes the page.
type projectsStruct struct {
	Object string `json:"object"`
	Data   []struct {
		ID         string `json:"id"`
		Object     string `json:"object"`
		Name       string `json:"name"`
		CreatedAt  int64  `json:"created_at"`
		ArchivedAt *int64 `json:"archived_at"`
		Status     string `json:"status"`
	} `json:"data"`
	FirstID string `json:"first_id"`
	LastID  string `json:"last_id"`
	HasMore bool   `json:"has_more"`
}

// BenchmarkProjects reads a page of 100 projects in each of the ways there are.
// That protojson reads another spelling of the same page is to its advantage:
// it cannot read the upstream's own.
func BenchmarkProjects(b *testing.B) {
	page := projectsPage()
	codec := compile(b, (&adminv1.ListProjectsResponse{}).ProtoReflect().Descriptor(), adminjson.WithDrift(new(adminjson.Drift)))
	var want adminv1.ListProjectsResponse
	if err := codec.Unmarshal(page, &want); err != nil || len(want.GetData()) != 100 {
		b.Fatal(len(want.GetData()), err)
	}
	spelled, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(&want)
	if err != nil {
		b.Fatal(err)
	}
	run := func(name string, input []byte, f func() error) {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(input)))
			b.ReportAllocs()
			for b.Loop() {
				if err := f(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	var wire []byte
	run("AppendWire", page, func() (err error) {
		wire, err = codec.AppendWire(wire[:0], page)
		return err
	})
	run("AppendWire+proto.Unmarshal", page, func() error {
		var m adminv1.ListProjectsResponse
		return codec.Unmarshal(page, &m)
	})
	run("protojson", spelled, func() error {
		var m adminv1.ListProjectsResponse
		return protojson.UnmarshalOptions{DiscardUnknown: true}.Unmarshal(spelled, &m)
	})
	run("encoding/json", page, func() error {
		var s projectsStruct
		return stdjson.Unmarshal(page, &s)
	})
	var json []byte
	run("AppendJSON", page, func() (err error) {
		json, err = codec.AppendJSON(json[:0], want.ProtoReflect())
		return err
	})
	run("protojson.Marshal", spelled, func() (err error) {
		json, err = protojson.MarshalOptions{}.MarshalAppend(json[:0], &want)
		return err
	})
	if proto.Size(&want) == 0 {
		b.Fatal("the page is empty")
	}
}
