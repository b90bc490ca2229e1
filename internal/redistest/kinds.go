package redistest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/admin-gateway/admin-gateway/internal/timetest"
)

// ACL are the rules that docs/caching.md tells the operator to set, and no more.
const ACL = "resetkeys resetchannels -@all ~gw:* &gw:{*}:bus &gw:{*}:fleet +get +set +getrange +del +hset +hget +hmget +time " +
	"+info +eval +evalsha +publish +subscribe +psubscribe +ping"

// Client returns a client that looks at a server from outside, and waits as long
// as it takes.
func Client(tb testing.TB, addr string) redis.UniversalClient {
	tb.Helper()
	client := redis.NewClient(&redis.Options{Addr: addr})
	tb.Cleanup(func() { _ = client.Close() })
	return client
}

// SetUser creates a user with rules that are separated by spaces.
func SetUser(tb testing.TB, addr, user, rules string) {
	tb.Helper()
	args := []any{"acl", "setuser", user}
	for rule := range strings.FieldsSeq(rules) {
		args = append(args, rule)
	}
	if err := Client(tb, addr).Do(tb.Context(), args...).Err(); err != nil {
		tb.Fatal(err)
	}
}

// TLSArgs are the arguments of a server that has TLS on a further port, with the
// certificate in dir. authClients is yes or no.
func TLSArgs(dir, port, authClients string) []string {
	return []string{
		"--tls-port", port, "--tls-cert-file", filepath.Join(dir, "cert.pem"), "--tls-key-file", filepath.Join(dir, "key.pem"),
		"--tls-ca-cert-file", filepath.Join(dir, "cert.pem"), "--tls-auth-clients", authClients,
	}
}

// WriteCertificate writes cert.pem and key.pem, a certificate for 127.0.0.1 that
// signs itself, to dir.
func WriteCertificate(tb testing.TB, dir string) *x509.CertPool {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA:        true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		tb.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		tb.Fatal(err)
	}
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	for name, content := range map[string][]byte{
		"cert.pem": certificate,
		"key.pem":  pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			tb.Fatal(err)
		}
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(certificate)
	return roots
}

// StartCluster starts a cluster of three nodes, each with a third of the slots,
// and returns their addresses.
func StartCluster(tb testing.TB) []string {
	tb.Helper()
	addrs, nodes := make([]string, 3), make([]redis.UniversalClient, 3)
	ranges := [][2]int{{0, 5460}, {5461, 10922}, {10923, 16383}}
	for i := range nodes {
		addrs[i] = Start(tb, "--cluster-enabled", "yes", "--cluster-port", FreePort(tb))
		nodes[i] = Client(tb, addrs[i])
		if err := nodes[i].ClusterAddSlotsRange(tb.Context(), ranges[i][0], ranges[i][1]).Err(); err != nil {
			tb.Fatal(err)
		}
	}
	for i, node := range nodes[1:] {
		host, port, err := net.SplitHostPort(addrs[i+1])
		if err != nil {
			tb.Fatal(err)
		}
		bus, err := node.ConfigGet(tb.Context(), "cluster-port").Result()
		if err != nil {
			tb.Fatal(err)
		}
		if err := nodes[0].Do(tb.Context(), "cluster", "meet", host, port, bus["cluster-port"]).Err(); err != nil {
			tb.Fatal(err)
		}
	}
	for _, node := range nodes {
		timetest.Eventually(tb, "the cluster is complete", func() bool {
			info, err := node.ClusterInfo(tb.Context()).Result()
			return err == nil && strings.Contains(info, "cluster_state:ok") && strings.Contains(info, "cluster_size:3")
		})
	}
	return addrs
}

// StartSentinel starts a sentinel that knows the server at master as "gw", and
// returns its address. directives are further lines of its configuration, args
// further arguments.
func StartSentinel(tb testing.TB, master, directives string, args ...string) string {
	tb.Helper()
	host, port, err := net.SplitHostPort(master)
	if err != nil {
		tb.Fatal(err)
	}
	file := filepath.Join(tb.TempDir(), "sentinel.conf")
	config := "sentinel monitor gw " + host + " " + port + " 1\n" + directives + "\n"
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		tb.Fatal(err)
	}
	return Start(tb, append([]string{file, "--sentinel"}, args...)...)
}
