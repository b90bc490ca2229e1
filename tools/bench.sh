#!/usr/bin/env bash
# Builds tools/bench and runs it with the arguments given, after installing the servers
# and the load generator that it needs, where that is ours to do. It leaves out, by name,
# what it needs and does not find; without h2load it measures nothing.
set -euo pipefail
cd "$(dirname "$0")/.."

missing=()
for program in h2load:nghttp2-client nginx:nginx varnishd:varnish redis-server:redis-server; do
	command -v "${program%%:*}" >/dev/null || [[ -x /usr/sbin/${program%%:*} ]] || missing+=("${program##*:}")
done
if ((${#missing[@]} > 0)); then
	tools/install.sh "the benchmark" "${missing[@]}" || true
fi

PATH=$PATH:/usr/sbin # Where Debian has servers.
(cd tools/bench && CGO_ENABLED=0 go build -o ../../.cache/bench .)
exec .cache/bench "$@"
