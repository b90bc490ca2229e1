#!/usr/bin/env bash
# Installs the crate as a user does: try.sh ARTEFACTS WORK leaves WORK/example and WORK/runner.
# Exits with 77, and a line that says why, where the toolchain or the registry is missing.
set -euo pipefail
artefacts=$(realpath "$1")
mkdir -p "$2"
work=$(realpath "$2")
here=$(realpath "$(dirname "$0")")

skip() {
	echo "rust: $1"
	exit 77
}
# fetch gets the dependencies, and skips where the registry cannot be reached.
fetch() {
	local host said
	host=$(rustc -vV | sed -n 's/^host: //p')
	said=$(cargo fetch --quiet --target "$host" "$@" 2>&1) && return
	case $said in
	*"failed to download"* | *"failed to query"* | *"Could not resolve"* | *"failed to fetch"* | *"download of"*)
		skip "crates.io cannot be reached" ;;
	esac
	echo "$said" >&2
	exit 1
}
command -v cargo >/dev/null || skip "cargo is not installed"
crates=("$artefacts"/admin-gateway-*.crate)
[ -f "${crates[0]}" ] || skip "there is no crate in $artefacts"

mkdir -p "$work/admin-gateway" "$work/bin"
# With the time of now: cargo dates all files alike, and would take a new crate for an old one.
tar -xzmf "${crates[0]}" -C "$work/admin-gateway" --strip-components=1
cp -r "$here/conformance" "$work/runner-src"
cp -r "$here/../../examples/rust" "$work/example-src"
printf '[workspace]\nresolver = "3"\nmembers = ["runner-src", "example-src"]\nexclude = ["admin-gateway"]\n\n[profile.dev]\ndebug = false\n' >"$work/Cargo.toml"
cd "$work"
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$work/target}
cp admin-gateway/Cargo.lock . # The versions that the crate was built with.
fetch --manifest-path Cargo.toml
cargo build --quiet
cp "$CARGO_TARGET_DIR/debug/runner" bin/
cp "$CARGO_TARGET_DIR/debug/example" bin/
ln -sf bin/runner runner
ln -sf bin/example example
