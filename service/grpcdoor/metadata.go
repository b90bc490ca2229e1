package grpcdoor

import (
	"slices"
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
// protocol and those that cannot be sent. Values are not copied: a header that is sent is
// not changed.
func sent(header *connect.Header) metadata.MD {
	if header.Len() == 0 {
		return nil
	}
	md := make(metadata.MD, header.Len())
	for key, values := range header.All() {
		key = lower(key)
		switch {
		case belongsToProtocol(key) || !isKey(key):
		case strings.HasSuffix(key, binarySuffix):
			for _, value := range values {
				appendBinary(md, key, value)
			}
		case !slices.ContainsFunc(values, isNotPrintable):
			md[key] = values
		default:
			md[key] = slices.DeleteFunc(slices.Clone(values), isNotPrintable)
		}
	}
	return md
}

// lower is the key of a header as HTTP/2 has it. Those of almost every answer take no
// memory.
func lower(key string) string {
	switch key {
	case "X-Request-Id":
		return "x-request-id"
	case "Cache-Status":
		return "cache-status"
	case "Age":
		return "age"
	default:
		return strings.ToLower(key)
	}
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

func isNotPrintable(value string) bool {
	return strings.IndexFunc(value, func(r rune) bool { return r < ' ' || r > '~' }) >= 0
}
