#!/usr/bin/env bash
# Installs the module from a folder of artefacts, as a user does, and builds the example
# and the runner of the conformance script with it.
#
#   try.sh ARTEFACTS WORK      leaves the programs WORK/example and WORK/runner
set -euo pipefail

usage='usage: try.sh ARTEFACTS WORK'
artefacts=$(realpath "${1:?$usage}")
work=$(realpath -m "${2:?$usage}")
here=$(cd "$(dirname "$0")" && pwd)
module=github.com/admin-gateway/admin-gateway

if ! command -v go >/dev/null; then
	echo "go is not installed"
	exit 77
fi

version=$(<"$artefacts/goproxy/$module/@v/list")
cache=$(go env GOMODCACHE)
proxies=$(go env GOPROXY)
# The module cache is one of its own: a version is for ever in the user's, and this one is
# built many times. What the user's has is copied from there.
export GOMODCACHE=$work/modules GOPROXY="file://$artefacts/goproxy,file://$cache/cache/download,$proxies"
# The checksum database knows this module when it is published, and not before.
export GONOSUMDB=$module GOWORK=off GOFLAGS='-mod=mod -modcacherw -buildvcs=false -trimpath' CGO_ENABLED=0

install() { # install FOLDER PROGRAM
	mkdir -p "$work/src/$2"
	cp "$1"/*.go "$1/go.mod" "$1/go.sum" "$work/src/$2/"
	cd "$work/src/$2"
	go mod edit -dropreplace "$module" -require "$module@$version"
	go build -o "$work/$2" .
}

(install "$here/conformance" runner)
(install "$here/../../examples/go" example)
