package rows

import (
	"bytes"
	"context"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/metadata"
)

// answered is an answer on the wire: its message, and the names of the headers that the
// caller has with it.
type answered struct {
	message []byte
	headers []string
}

// overHTTP makes a call over Connect.
func overHTTP(t *testing.T, address, kind, token string, body []byte) answered {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+address+listProjects, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", kind)
	request.Header.Set("Authorization", "Bearer "+token)
	transport := &http.Transport{DisableCompression: true}
	defer transport.CloseIdleConnections()
	response, err := transport.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	var message bytes.Buffer
	if _, err := message.ReadFrom(response.Body); err != nil {
		t.Fatal(err)
	}
	if response.StatusCode != http.StatusOK || response.Header.Get("Content-Type") != kind {
		t.Fatalf("status %d, %s: %s", response.StatusCode, response.Header.Get("Content-Type"), &message)
	}
	return answered{message.Bytes(), namesOf(response.Header)}
}

// overGRPC makes a call over gRPC.
func overGRPC(t *testing.T, address, token string, body []byte) answered {
	t.Helper()
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	var message []byte
	var header metadata.MD
	ctx := metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+token)
	if err := conn.Invoke(ctx, listProjects, body, &message, grpc.Header(&header), grpc.ForceCodecV2(wire{})); err != nil {
		t.Fatal(err)
	}
	return answered{message, namesOf(header)}
}

// namesOf are the names that a caller looks at, in order.
func namesOf[V any, M ~map[string]V](header M) []string {
	var names []string
	for name := range maps.Keys(header) {
		if name = strings.ToLower(name); name == "x-request-id" || name == "cache-status" || name == "age" {
			names = append(names, name)
		}
	}
	return slices.Sorted(slices.Values(names))
}

type wire struct{}

func (wire) Name() string { return "proto" }

func (wire) Marshal(v any) (mem.BufferSlice, error) {
	return mem.BufferSlice{mem.SliceBuffer(v.([]byte))}, nil //nolint:forcetypeassert // The tests give bytes.
}

func (wire) Unmarshal(data mem.BufferSlice, v any) error {
	*v.(*[]byte) = data.Materialize() //nolint:forcetypeassert,misspell // As above; a name of the library.
	return nil
}

// A floor that answered with fewer bytes, or without the headers, would be no floor.
func TestFloorsAnswerAsTheGatewayDoes(t *testing.T) {
	const projects = 3
	err := testSuite(t).onStage(func(g *stage) error {
		d, err := g.openDoors(t.Context(), projects)
		if err != nil {
			return err
		}
		own := map[string]answered{
			"grpc":  overGRPC(t, d.gateway.Fast, g.token.Value, d.forms.protoRequest),
			"proto": overHTTP(t, d.gateway.Port, "application/proto", g.token.Value, d.forms.protoRequest),
			"json":  overHTTP(t, d.gateway.Port, "application/json", g.token.Value, d.forms.jsonRequest),
		}
		for name, f := range map[string]struct {
			kind, answer, form string
			fair               bool
		}{
			"fair grpc-go":       {"grpc-fair", d.protoAnswer, "grpc", true},
			"bare grpc-go":       {"grpc", d.protoAnswer, "grpc", false},
			"fair net/http":      {"http-fair", d.protoAnswer, "proto", true},
			"bare connect":       {"connect", d.protoAnswer, "proto", false},
			"bare connect, JSON": {"connect", d.jsonAnswer, "json", false},
		} {
			t.Run(name, func(t *testing.T) {
				server, err := g.floor(t.Context(), f.kind, f.answer)
				if err != nil {
					t.Fatal(err)
				}
				var got answered
				switch f.form {
				case "grpc":
					got = overGRPC(t, server.address, g.token.Value, d.forms.protoRequest)
				case "proto":
					got = overHTTP(t, server.address, "application/proto", g.token.Value, d.forms.protoRequest)
				default:
					got = overHTTP(t, server.address, "application/json", g.token.Value, d.forms.jsonRequest)
				}
				if want := own[f.form]; len(want.message) < 100 || !bytes.Equal(got.message, want.message) {
					t.Errorf("%q is not %q", got.message, want.message)
				}
				if f.fair && !slices.Equal(got.headers, own[f.form].headers) {
					t.Errorf("the headers %q are not %q", got.headers, own[f.form].headers)
				}
			})
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// A fair floor refuses a stranger, and records what it answers.
func TestFairFloorsDoTheirDuties(t *testing.T) {
	for _, kind := range []string{"grpc-fair", "http-fair"} {
		t.Run(kind, func(t *testing.T) {
			s := testSuite(t)
			err := s.onStage(func(g *stage) error {
				answer, err := g.file("answer", []byte("answer"))
				if err != nil {
					return err
				}
				server, err := g.floor(t.Context(), kind, answer)
				if err != nil {
					return err
				}
				call := func(ctx context.Context, token string) error {
					if kind == "http-fair" {
						_, err := fetch(ctx, http.MethodPost, "http://"+server.address+listProjects, "application/proto", token, nil)
						return err
					}
					conn, err := grpc.NewClient(server.address, grpc.WithTransportCredentials(insecure.NewCredentials()))
					if err != nil {
						return err
					}
					defer func() { _ = conn.Close() }()
					var message []byte
					return conn.Invoke(metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+token), listProjects, []byte(nil), &message, grpc.ForceCodecV2(wire{}))
				}
				if err := call(t.Context(), s.token.Value); err != nil {
					t.Errorf("its caller: %v", err)
				}
				if err := call(t.Context(), "stranger"); err == nil {
					t.Error("a stranger has an answer")
				}
				server.Stop() // Which writes the records.
				records, err := os.ReadFile(server.record)
				if err != nil {
					return err
				}
				if n := bytes.Count(records, []byte("\n")); n != 1 || !bytes.Contains(records, []byte(`"caller":"load"`)) {
					t.Errorf("%d records: %s", n, records)
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		})
	}
}
