#!/usr/bin/env bash
# Builds the crate: build.sh SCHEMA VERSION OUT, in a copy of this folder.
# Exits with 77, and a line that says why, where the toolchain or the registry is missing.
set -euo pipefail
schema=$(realpath "$1") version=$2
mkdir -p "$3"
out=$(realpath "$3")
cd "$(dirname "$0")"

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
cargo clippy --version >/dev/null 2>&1 || skip "clippy is not installed"
cargo fmt --version >/dev/null 2>&1 || skip "rustfmt is not installed"
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}
for manifest in Cargo.toml generate/Cargo.toml; do
	fetch --locked --manifest-path "$manifest"
done

rm -rf src/gen
cargo run --locked --quiet --manifest-path generate/Cargo.toml -- "$schema" src/gen
sed -i "s/^version = \"0.0.0\".*/version = \"$version\"/" Cargo.toml
sed -i "/^name = \"admin-gateway\"$/{n;s/^version = .*/version = \"$version\"/}" Cargo.lock
cargo fmt --check
cargo fmt --check --manifest-path generate/Cargo.toml
rustfmt --check --edition 2024 conformance/src/main.rs
cargo clippy --locked --quiet --all-targets -- -D warnings
cargo clippy --locked --quiet --manifest-path generate/Cargo.toml -- -D warnings
cargo test --locked --quiet
cargo package --locked --quiet --allow-dirty --no-verify
cp "$CARGO_TARGET_DIR/package/admin-gateway-$version.crate" "$out/"
