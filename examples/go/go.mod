module github.com/admin-gateway/admin-gateway/examples/go

go 1.26.0

require (
	connectrpc.com/connect/v2 v2.0.2
	github.com/admin-gateway/admin-gateway v0.0.0
	google.golang.org/protobuf v1.36.12
)

require (
	buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go v1.36.12-20260825204119-511051f7f437.2 // indirect
	google.golang.org/genproto/googleapis/api v0.0.0-20261026165753-2ffab32bce7e // indirect
	google.golang.org/genproto/googleapis/rpc v0.0.0-20261026165753-2ffab32bce7e // indirect
)

replace github.com/admin-gateway/admin-gateway => ../..
