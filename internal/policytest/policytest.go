// Package policytest writes policies of any number of callers, for tests and
// benchmarks. It imports nothing of the gateway.
package policytest

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
)

// Name is the name of the caller with a number, from 0.
func Name(i int) string { return fmt.Sprintf("caller-%06d", i) }

// Token is the token of the caller with a number.
func Token(i int) string {
	digest := sha256.Sum256([]byte(Name(i)))
	return "agw_" + base64.RawURLEncoding.EncodeToString(digest[:])
}

// Conditions is how many different conditions the grants of a policy have.
const Conditions = 3

var conditions = [Conditions]string{
	`caller.name != "nobody"`,
	`caller.name.startsWith("caller-")`,
	`now < timestamp("2100-01-01T00:00:00Z")`,
}

// YAML is a policy of n callers, in the block style that people write: each has a token
// and a grant that all share, and one of its own with a project. Every tenth grant has
// one of three conditions, every fifth caller labels, and every fourth limits.
func YAML(n int) []byte {
	var b bytes.Buffer
	b.WriteString("callers:\n")
	for i := range n {
		digest := sha256.Sum256([]byte(Token(i)))
		fmt.Fprintf(&b, "  - name: %s\n    authenticate:\n      - token_sha256: %s\n", Name(i), hex.EncodeToString(digest[:]))
		fmt.Fprintf(&b, "    grants:\n      - permissions: [users.read]\n      - permissions: [\"projects.*\"]\n        projects: [proj_%06d]\n", i)
		if i%10 == 0 {
			fmt.Fprintf(&b, "        when: '%s'\n", conditions[i/10%Conditions])
		}
		if i%5 == 0 {
			fmt.Fprintf(&b, "    labels: {team: team_%d}\n", i%50)
		}
		if i%4 == 0 {
			b.WriteString("    limits: {requests_per_second: 20, burst: 40}\n")
		}
	}
	return b.Bytes()
}
