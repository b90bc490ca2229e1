//go:build linux

package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connecthttp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
	inventoryv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/inventory/v1"
	"github.com/admin-gateway/admin-gateway/gen/admingateway/inventory/v1/inventoryv1connect"
)

// hugeOrganization answers with 100,000 projects, whose lists never come, and refuses to
// count usage.
type hugeOrganization struct{ ended <-chan struct{} }

func (o hugeOrganization) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	const projects, page = 100_000, 100
	w.Header().Set("Content-Type", "application/json")
	switch {
	case strings.Contains(r.URL.Path, "/usage/"), strings.HasSuffix(r.URL.Path, "/costs"):
		w.WriteHeader(http.StatusBadRequest)
		_, _ = fmt.Fprint(w, `{"error": {"message": "not counted", "type": "invalid_request_error"}}`)
	case strings.HasSuffix(r.URL.Path, "/organization/projects"):
		after, _ := strconv.Atoi(strings.TrimPrefix(r.URL.Query().Get("after"), "proj_"))
		var body strings.Builder
		body.WriteString(`{"object": "list", "data": [`)
		for i := range page {
			if i > 0 {
				body.WriteByte(',')
			}
			fmt.Fprintf(&body, `{"object": "organization.project", "id": "proj_%024d", "name": "A project with a name", "created_at": 1700000000, "status": "active"}`, after+i+1)
		}
		fmt.Fprintf(&body, `], "has_more": %t, "last_id": "proj_%024d"}`, after+page < projects, after+page)
		_, _ = fmt.Fprint(w, body.String())
	default:
		select {
		case <-r.Context().Done():
		case <-o.ended:
		}
	}
}

// mebibytesOf is a quantity of the manifests.
func mebibytesOf(t *testing.T, manifest, part string) int {
	t.Helper()
	found := regexp.MustCompile(`(?s)` + part + `:.*?memory: (\d+)Mi`).FindStringSubmatch(manifest)
	if found == nil {
		t.Fatalf("the manifest has no %s", part)
	}
	n, err := strconv.Atoi(found[1])
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// peakOf is the most memory that a process has had, in MiB.
func peakOf(t *testing.T, pid int) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`VmHWM:\s+(\d+) kB`).FindSubmatch(status)
	if found == nil {
		t.Fatal("no VmHWM")
	}
	n, err := strconv.Atoi(string(found[1]))
	if err != nil {
		t.Fatal(err)
	}
	return n >> 10
}

// progressing is a message of a stream of an inventory.
type progressing interface {
	proto.Message
	GetProgress() *inventoryv1.Progress
}

// until receives until a progress is as a test wants it.
func until[M progressing](receive func() (M, error), reached func(*inventoryv1.Progress) bool) error {
	for {
		message, err := receive()
		if err != nil {
			return err
		}
		if progress := message.GetProgress(); progress != nil && reached(progress) {
			return nil
		}
	}
}

// gatewayAsItRuns builds the gateway without the race detector, which takes several times
// the memory.
func gatewayAsItRuns(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "gateway")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", file, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return file
}

// TestStreamsStayWithinTheLimitOfThePod: a caller with the limits that callers have opens
// all the streams that it may, of the inventories that hold the most: the names of 100,000
// projects, and five years of minutes of every kind, of which every call fails.
func TestStreamsStayWithinTheLimitOfThePod(t *testing.T) { //nolint:paralleltest // It sets a variable of the process.
	manifest, err := os.ReadFile("../../deploy/kubernetes/base/deployment.yaml")
	if err != nil {
		t.Fatal(err)
	}
	limit := mebibytesOf(t, string(manifest), "limits")
	t.Setenv("GOMEMLIMIT", fmt.Sprintf("%dMiB", mebibytesOf(t, string(manifest), "requests")))
	ended := make(chan struct{})
	upstream := httptest.NewServer(hugeOrganization{ended})
	t.Cleanup(upstream.Close)
	t.Cleanup(func() { close(ended) })
	c := startProgramAt(t, gatewayAsItRuns(t), upstream.URL+"/v1", "\n")
	ctx, cancel := context.WithTimeout(t.Context(), 4*patience)
	defer cancel()
	client := http2Client()
	defer client.CloseIdleConnections()
	inventories := inventoryv1connect.NewInventoryServiceClient(connect.NewClient(connecthttp.NewTransport(client, "http://"+c.Listen, connecthttp.WithGRPC()), withToken(c.other)))
	usage := &inventoryv1.ListUsageRequest{
		StartTime: timestamppb.New(time.Now().AddDate(-5, 0, 0).Truncate(time.Second)), BucketWidth: adminv1.UsageBucketWidth_USAGE_BUCKET_WIDTH_ONE_MINUTE.Enum(),
	}
	for kind := range inventoryv1.UsageKind_name {
		if kind != 0 {
			usage.Kinds = append(usage.Kinds, inventoryv1.UsageKind(kind))
		}
	}
	listed := func(p *inventoryv1.Progress) bool { return p.GetAllListed() }
	counted := func(p *inventoryv1.Progress) bool { return p.GetFailures() > 5000 }
	opened := make(chan error)
	open := func() error {
		roles, err := inventories.ListUserRoles(ctx, &inventoryv1.ListUserRolesRequest{})
		if err != nil {
			return err
		}
		go func() { opened <- until(roles.Receive, listed) }()
		return nil
	}
	keys, err := inventories.ListApiKeys(ctx, &inventoryv1.ListApiKeysRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := keys.Receive(); err != nil {
		t.Fatal(err)
	}
	go func() { opened <- until(keys.Receive, listed) }()
	buckets, err := inventories.ListUsage(ctx, usage)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := buckets.Receive(); err != nil { // It has its place before the others ask for one.
		t.Fatal(err)
	}
	go func() { opened <- until(buckets.Receive, counted) }()
	for range 62 {
		if err := open(); err != nil {
			t.Fatal(err)
		}
	}
	full, refused := 0, 0
	for range 64 {
		switch err := <-opened; {
		case err == nil:
			full++
		case connect.CodeOf(err) == connect.CodeResourceExhausted:
			refused++
		default:
			t.Error(err)
		}
	}
	peak := peakOf(t, c.cmd.Process.Pid)
	t.Logf("%d streams of 64, %d MiB of %d", full, peak, limit)
	if full == 0 || refused == 0 || peak > limit {
		t.Errorf("%d streams, %d were refused, and %d MiB of %d were used", full, refused, peak, limit)
	}
}
