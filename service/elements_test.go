package service_test

import (
	"bytes"
	"io"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"connectrpc.com/connect/v2"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
	"github.com/admin-gateway/admin-gateway/internal/admissiontest"
	"github.com/admin-gateway/admin-gateway/internal/gatewaytest"
	"github.com/admin-gateway/admin-gateway/service/door"
)

// TestTypedListsAreBounded: a request with as many elements as its bytes allow is refused
// by the name of its field, at every door and in every form, and nothing is built from it.
func TestTypedListsAreBounded(t *testing.T) { //nolint:paralleltest // It measures the memory of the process.
	g := gatewaytest.New(t)
	const size = 1000 << 10 // A request may have 1 MiB.
	var wire []byte
	for len(wire) < size {
		wire = protowire.AppendString(protowire.AppendTag(wire, 1, protowire.BytesType), "")
	}
	json := []byte(`{"certificate_ids": [` + strings.Repeat(`"",`, size/3) + `""]}`)
	post := func(path, contentType string, body []byte) string {
		t.Helper()
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, g.HTTP().URL+path, bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Content-Type", contentType)
		request.Header.Set("Authorization", "Bearer "+admissiontest.TokenOf("root"))
		response, err := g.HTTP().Client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = response.Body.Close() }()
		said, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(said)
	}
	const procedure = "/admingateway.admin.v1.CertificateService/ActivateCertificates"
	calls := map[string]func() string{
		"Connect":      func() string { return post(procedure, "application/proto", wire) },
		"Connect JSON": func() string { return post(procedure, "application/json", json) },
		"REST":         func() string { return post("/v1/organization/certificates/activate", "application/json", json) },
		"gRPC, fast": func() string {
			err := gatewaytest.As("root", g.FastGRPC()).CallUnary(t.Context(), connect.Spec{Procedure: procedure, StreamType: connect.StreamTypeUnary},
				unknownFields(wire), &adminv1.ActivateCertificatesResponse{})
			return everything(err)
		},
	}
	for name, call := range calls {
		if said := call(); !strings.Contains(said, "certificate_ids") || !strings.Contains(said, strconv.Itoa(door.MaxElements)) { // Also so that all is compiled.
			t.Errorf("%s: %s", name, said)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		call()
		runtime.ReadMemStats(&after)
		// The client holds the request too, and buffers grow by doubling.
		if spent := after.TotalAlloc - before.TotalAlloc; spent > 12*size {
			t.Errorf("%s: %d bytes for a request of %d", name, spent, size)
		}
	}
	if n := g.Asked.Load(); n > 0 {
		t.Errorf("the upstream was asked %d times", n)
	}
}

// unknownFields is a message that is sent as so many bytes.
func unknownFields(wire []byte) proto.Message {
	m := &adminv1.GetProjectRequest{}
	m.ProtoReflect().SetUnknown(wire)
	return m
}
