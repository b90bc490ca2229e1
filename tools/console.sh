#!/usr/bin/env bash
# Opens every page of the console in headless Chromium, holds it against axe-core, and
# leaves screenshots in .cache/console/screenshots. A browser or a library that cannot be
# installed here is named, and nothing is run.
set -euo pipefail
cd "$(dirname "$0")/.."
cache=$PWD/.cache/console
mkdir -p "$cache"

if ! command -v chromium >/dev/null && ! tools/install.sh "the pages of the console" chromium; then
	echo "console: skipped, chromium cannot be installed"
	exit 0
fi
stamp=$cache/stamp-$(cksum <tools/console/package-lock.json | cut -d' ' -f1)
if [[ ! -f $stamp ]]; then
	rm -rf "$cache/node_modules" "$cache"/stamp-*
	cp tools/console/package.json tools/console/package-lock.json "$cache/"
	if ! (cd "$cache" && timeout --kill-after=10 180 npm ci --silent --no-audit --no-fund --ignore-scripts) >"$cache/log" 2>&1; then
		echo "console: skipped, axe-core cannot be installed: $(tail -n 1 "$cache/log")"
		exit 0
	fi
	touch "$stamp"
fi
CGO_ENABLED=0 go build -o "$cache/gateway" ./cmd/gateway
rm -rf "$cache/screenshots"
cd tools/console
GATEWAY=$cache/gateway AXE=$cache/node_modules/axe-core SCREENSHOTS=$cache/screenshots timeout --kill-after=10 1500 go test -count=1 "$@" ./...
