package grpcdoor

import (
	"strings"

	"connectrpc.com/connect/v2"
	"google.golang.org/grpc/metadata"
)

// binarySuffix marks metadata whose values are bytes. grpc-go hands them over as
// they are, connect as the base64 in which they travel.
const binarySuffix = "-bin"

// received puts the metadata of a client into a header.
func received(header *connect.Header, md metadata.MD) {
	for key, values := range md {
		switch {
		case key == ":authority":
			key = "Host"
		case strings.HasPrefix(key, ":"):
			continue
		case strings.HasSuffix(key, binarySuffix):
			encoded := make([]string, len(values))
			for i, value := range values {
				encoded[i] = connect.EncodeBinaryHeader([]byte(value))
			}
			values = encoded
		}
		header.SetValues(key, values)
	}
}

// sent converts a header for grpc-go. It leaves out the headers of the
// protocol and those that cannot be sent.
func sent(header *connect.Header) metadata.MD {
	if header.Len() == 0 {
		return nil
	}
	md := make(metadata.MD, header.Len())
	for key, values := range header.All() {
		key = strings.ToLower(key)
		if belongsToProtocol(key) || !isKey(key) {
			continue
		}
		for _, value := range values {
			if strings.HasSuffix(key, binarySuffix) {
				appendBinary(md, key, value)
			} else if isPrintable(value) {
				md.Append(key, value)
			}
		}
	}
	return md
}

// appendBinary adds the values that are joined in one.
func appendBinary(md metadata.MD, key, joined string) {
	for encoded := range strings.SplitSeq(joined, ",") {
		if value, err := connect.DecodeBinaryHeader(strings.TrimSpace(encoded)); err == nil {
			md.Append(key, string(value))
		}
	}
}

// belongsToProtocol: a handler that sets one of these would break the message
// that carries it.
func belongsToProtocol(key string) bool {
	switch key {
	case "content-type", "content-length", "content-encoding", "transfer-encoding", "connection", "trailer", "te", "date", "user-agent":
		return true
	default:
		return strings.HasPrefix(key, "grpc-")
	}
}

func isKey(key string) bool {
	return key != "" && strings.Trim(key, "0123456789abcdefghijklmnopqrstuvwxyz-_.") == ""
}

func isPrintable(value string) bool {
	return strings.IndexFunc(value, func(r rune) bool { return r < ' ' || r > '~' }) < 0
}
