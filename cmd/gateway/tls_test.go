package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connecthttp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/tlstest"
	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
	"github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1/adminv1connect"
	"github.com/admin-gateway/admin-gateway/sandbox"
)

// TestServeTLS: a caller authenticates by certificate or by token through every
// door. Without either, the call is refused.
func TestServeTLS(t *testing.T) {
	t.Parallel()
	fake := httptest.NewServer(sandbox.New(sandbox.Options{Seed: 1}))
	t.Cleanup(fake.Close)
	ca := tlstest.NewAuthority(t)
	files := ca.Write(ca.Issue("gateway.example"))
	token, policy := readersPolicy(t)
	extended, err := os.ReadFile(policy)
	if err != nil {
		t.Fatal(err)
	}
	policy = writeFile(t, "policy.yaml", strings.Replace(string(extended), "authenticate: [", "authenticate: [{dns_san: reader.example}, ", 1))
	c := start(t, "serve", "--config", writeFile(t, "gateway.yaml", `
listen: 127.0.0.1:0
grpc_listen: 127.0.0.1:0
ops_listen: 127.0.0.1:0
shutdown: {delay: 0s}
tls: {cert_file: `+files+`/tls.crt, key_file: `+files+`/tls.key, client_ca_file: `+files+`/ca.crt}
policy: `+policy+`
upstream:
  base_url: `+fake.URL+`/v1
  admin_key: {file: `+writeFile(t, "key", sandbox.DefaultAdminKey)+`}
`))
	var at struct {
		Listen     string `json:"listen"`
		GRPCListen string `json:"grpc_listen"`
	}
	if err := json.Unmarshal([]byte(c.err.line(t, c.ended, "ops_listen")), &at); err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(ca.Certificate)
	for name, test := range map[string]struct {
		certificate []tls.Certificate
		token       string
		want        connect.Code // 0: the call is allowed
	}{
		"certificate":                         {certificate: []tls.Certificate{ca.Issue("reader.example")}},
		"token":                               {token: token},
		"certificate of another":              {certificate: []tls.Certificate{ca.Issue("other.example")}, want: connect.CodeUnauthenticated},
		"bad token in spite of a certificate": {certificate: []tls.Certificate{ca.Issue("reader.example")}, token: "agw_x", want: connect.CodeUnauthenticated},
		"neither":                             {want: connect.CodeUnauthenticated},
	} {
		config := &tls.Config{RootCAs: roots, Certificates: test.certificate, MinVersion: tls.VersionTLS12}
		if err := listUsersFast(t, at.GRPCListen, config, test.token); status.Code(err) != codes.Code(test.want) {
			t.Errorf("%s over the fast door: %v", name, err)
		}
		for protocol, options := range map[string][]connecthttp.Option{"gRPC": {connecthttp.WithGRPC()}, "Connect": nil, "REST": nil} {
			transport := &http.Transport{
				TLSClientConfig:   config.Clone(),
				ForceAttemptHTTP2: protocol == "gRPC",
			}
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			client := &http.Client{Transport: transport}
			var err error
			if protocol == "REST" {
				err = getUsers(ctx, client, "https://"+at.Listen, test.token)
			} else {
				door := connect.NewClient(connecthttp.NewTransport(client, "https://"+at.Listen, options...), withToken(test.token))
				_, err = adminv1connect.NewUserServiceClient(door).ListUsers(ctx, &adminv1.ListUsersRequest{})
			}
			cancel()
			transport.CloseIdleConnections()
			if test.want == 0 && err != nil || test.want != 0 && connect.CodeOf(err) != test.want {
				t.Errorf("%s over %s: %v", name, protocol, err)
			}
		}
	}
	c.stop(t)
	if said := c.out.String(); strings.Count(said, `"authenticated_by":"dns_san"`) != 4 || strings.Count(said, `"authenticated_by":"token"`) != 4 {
		t.Errorf("recorded: %s", said)
	}
}

// getUsers is a call of the REST door.
func getUsers(ctx context.Context, client *http.Client, gateway, token string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, gateway+"/v1/organization/users", nil)
	if err != nil {
		return err
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	reply, err := client.Do(request)
	if err != nil {
		return err
	}
	defer reply.Body.Close()
	switch reply.StatusCode {
	case http.StatusOK:
		return nil
	case http.StatusUnauthorized:
		return connect.NewError(connect.CodeUnauthenticated, "refused")
	default:
		return fmt.Errorf("status %d", reply.StatusCode)
	}
}

// listUsersFast calls with grpc-go's own client.
func listUsersFast(t *testing.T, address string, config *tls.Config, token string) error {
	t.Helper()
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(credentials.NewTLS(config)))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	}()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if token != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+token)
	}
	return conn.Invoke(ctx, adminv1connect.UserServiceListUsersProcedure, &adminv1.ListUsersRequest{}, &adminv1.ListUsersResponse{})
}
