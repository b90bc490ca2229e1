#!/usr/bin/env bash
# Checks the Go client, and writes the module as a module proxy serves it.
#
#   ROOT=… build.sh SCHEMA VERSION OUT
#
# ROOT is the repository. The stubs of Go are part of it, so that SCHEMA is not read;
# SCHEMA_COMMIT names a commit whose stubs are taken in place of those that are there.
# OUT/goproxy is the artefact: GOPROXY=file://OUT/goproxy finds v$VERSION in it.
set -euo pipefail

usage='usage: ROOT=… build.sh SCHEMA VERSION OUT'
: "${1:?$usage}"
version=v${2:?$usage}
out=$(realpath -m "${3:?$usage}")
root=$(realpath "${ROOT:?$usage}")
here=$(cd "$(dirname "$0")" && pwd)

if ! command -v go >/dev/null; then
	echo "go is not installed"
	exit 77
fi
# The version of the toolchain that go.mod asks for, which go downloads where it can.
if ! found=$(cd "$root" && go version 2>&1); then
	echo "go of the version that go.mod asks for: ${found//$'\n'/ }"
	exit 77
fi
if ! (cd "$here/modzip" && go mod download) >/dev/null 2>&1; then
	echo "the module proxy does not answer"
	exit 77
fi

# Modules that stand beside the one that is built have their own go.mod, and no work file.
export GOWORK=off GOFLAGS=-buildvcs=false CGO_ENABLED=0
packages=(./client/... ./pages)
modules=("$here/modzip" "$root/clients/go/conformance" "$root/examples/go")

unformatted=$(gofmt -l "$root/client" "$root/pages" "${modules[@]}")
if [[ -n $unformatted ]]; then
	echo "not formatted: $unformatted" >&2
	exit 1
fi
(cd "$root" && go vet "${packages[@]}" && go test -short "${packages[@]}")
for module in "${modules[@]}"; do
	(cd "$module" && go vet -mod=readonly ./...)
done

(cd "$here/modzip" && go build -mod=readonly -o modzip .)
git() { command git -C "$root" -c safe.directory='*' "$@"; }
if [[ -n ${SCHEMA_COMMIT:-} ]]; then
	mkdir "$here/tree"
	git ls-files -z | grep -zv '^gen/' | tar -C "$root" --null -T - -c | tar -C "$here/tree" -x
	git archive "$SCHEMA_COMMIT" gen | tar -C "$here/tree" -x
	(cd "$here/tree" && go vet "${packages[@]}")
	(cd "$here/tree" && find . -type f -printf '%P\0') | "$here/modzip/modzip" -root "$here/tree" -version "$version" -out "$out/goproxy"
else
	git ls-files -z | "$here/modzip/modzip" -root "$root" -version "$version" -out "$out/goproxy"
fi
