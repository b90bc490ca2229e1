module github.com/admin-gateway/admin-gateway/tools/drift

go 1.26.0

require (
	buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go v1.36.12-20260825204119-511051f7f437.2
	github.com/admin-gateway/admin-gateway v0.0.0
	github.com/bufbuild/protocompile v0.14.1
	github.com/google/go-cmp v0.7.0
	go.uber.org/goleak v1.3.0
	google.golang.org/genproto/googleapis/api v0.0.0-20261026165753-2ffab32bce7e
	google.golang.org/protobuf v1.36.12
)

require golang.org/x/sync v0.25.0 // indirect

replace github.com/admin-gateway/admin-gateway => ../..
