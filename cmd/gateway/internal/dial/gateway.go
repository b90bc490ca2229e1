package dial

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/admin-gateway/admin-gateway/client"
)

// Gateway connects as programs in Go do: errors are a [*client.Error], calls that can be
// repeated are, and writes have an idempotency key. More options come after those of the
// flags. Close it.
func (f Flags) Gateway(more ...client.Option) (*client.Gateway, error) {
	// An operator may be next to a gateway without TLS, as in its own pod.
	options := append([]client.Option{client.UserAgent("gateway"), client.Plaintext()}, more...)
	if !f.GRPC {
		options = append(options, client.UseConnect())
	}
	if f.CAFile != "" {
		options = append(options, client.CA(f.CAFile))
	}
	if f.CertFile != "" || f.KeyFile != "" {
		options = append(options, client.Certificate(f.CertFile, f.KeyFile))
	}
	var credential client.Credential
	token := strings.TrimSpace(cmp.Or(os.Getenv(TokenVariable), os.Getenv(OlderTokenVariable)))
	switch {
	case f.TokenFile != "":
		credential = client.TokenFile(f.TokenFile)
	case token != "":
		credential = client.Token(token)
	case f.CertFile == "":
		return nil, errNoToken
	}
	gateway, err := client.Connect(f.Address, credential, options...)
	if wrong, ok := errors.AsType[*client.ConfigError](err); ok {
		return nil, fmt.Errorf("%s: %w", flagOf(wrong.Argument), err)
	}
	return gateway, err
}

// flagOf names the flag or variable that an argument of the client came from.
func flagOf(argument string) string {
	switch argument {
	case "address":
		return "flag --address"
	case "token":
		return "variable " + TokenVariable
	case "token_file":
		return "flag --token-file"
	case "ca":
		return "flag --tls-ca-file"
	case "cert":
		return "flag --tls-cert-file"
	case "key":
		return "flag --tls-key-file"
	default:
		return argument
	}
}
