// Package proto embeds the sources of the wire schema, so that the binary can
// write them with their comments, which generated Go descriptors do not carry.
// It imports nothing of the project and is used by cmd/gateway and tests.
package proto

import "embed"

// Sources holds the .proto files below this folder, by their import paths, such
// as "admingateway/admin/v1/project.proto".
//
//go:embed admingateway
var Sources embed.FS
