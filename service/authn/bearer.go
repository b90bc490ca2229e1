package authn

import "strings"

// maxCredential bounds what a call may present, in bytes. Real JWTs have a few
// hundred to a few thousand.
const maxCredential = 16 << 10

const bearerScheme = "Bearer"

// bearer takes the credential out of the Authorization header: one value,
// "Bearer", spaces, and a credential as in RFC 6750, section 2.1. Nothing is
// copied, and no more is looked at than maxCredential bytes and the scheme.
func bearer(values []string) (string, error) {
	if len(values) != 1 {
		return "", refuse(ReasonMalformed)
	}
	value := values[0]
	if len(value) > len(bearerScheme)+1+maxCredential ||
		len(value) <= len(bearerScheme) || value[len(bearerScheme)] != ' ' ||
		!strings.EqualFold(value[:len(bearerScheme)], bearerScheme) {
		return "", refuse(ReasonMalformed)
	}
	credential := strings.TrimLeft(value[len(bearerScheme):], " ")
	if !isB64Token(credential) {
		return "", refuse(ReasonMalformed)
	}
	return credential, nil
}

// isB64Token tells whether s is a b64token of RFC 6750: letters, digits and
// "-._~+/", at least one, and any number of "=" behind them.
func isB64Token(s string) bool {
	s = strings.TrimRight(s, "=")
	if s == "" {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case c == '-', c == '.', c == '_', c == '~', c == '+', c == '/':
		default:
			return false
		}
	}
	return true
}

// looksLikeJWT tells whether a credential has the three segments of a JWT.
func looksLikeJWT(credential string) bool { return strings.Count(credential, ".") == 2 }
