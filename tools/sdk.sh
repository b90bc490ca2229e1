#!/usr/bin/env bash
# Runs the vendor's SDKs for Python and Node against the REST door: tools/sdk-go
# starts the servers, and has the same for Go among its tests. The SDKs are
# installed below .cache; one that cannot be installed here is skipped with a message.
set -euo pipefail
cd "$(dirname "$0")/.."
cache=$PWD/.cache
mkdir -p "$cache"
ran=0

# beside [-leases] COMMAND... runs it with the testbed in its environment.
beside() {
	(cd tools/sdk-go && CGO_ENABLED=0 timeout --kill-after=10 180 go run . "$@")
}

# install NAME FILE COMMAND... runs the command unless it has been run with this
# content of the file. Its output is kept for the reason of a skip.
install() {
	local name=$1 file=$2
	shift 2
	local stamp
	stamp=$cache/sdk-$name/stamp-$(cksum <"$file" | cut -d' ' -f1)
	[[ -f $stamp ]] && return
	rm -rf "$cache/sdk-$name"
	mkdir -p "$cache/sdk-$name"
	if ! timeout --kill-after=10 180 "$@" >"$cache/sdk-$name/log" 2>&1; then
		echo "sdk: $name is skipped, its SDK cannot be installed: $(tail -n 1 "$cache/sdk-$name/log")"
		return 1
	fi
	touch "$stamp"
}

install_python() {
	python3 -m venv "$cache/sdk-python/venv"
	"$cache/sdk-python/venv/bin/pip" install --quiet --disable-pip-version-check -r tools/sdk-python/requirements.txt
}

install_node() {
	cp tools/sdk-node/package.json tools/sdk-node/package-lock.json "$cache/sdk-node/"
	(cd "$cache/sdk-node" && npm ci --silent --no-audit --no-fund --ignore-scripts)
}
export -f install_python install_node
export cache

if ! command -v python3 >/dev/null; then
	echo "sdk: python is skipped: there is no python3"
elif install python tools/sdk-python/requirements.txt bash -euo pipefail -c install_python; then
	beside "$cache/sdk-python/venv/bin/python" "$PWD/tools/sdk-python/tour.py"
	beside -leases "$cache/sdk-python/venv/bin/python" "$PWD/tools/sdk-python/leased.py"
	ran=$((ran + 1))
fi

if ! command -v npm >/dev/null; then
	echo "sdk: node is skipped: there is no npm"
elif install node tools/sdk-node/package-lock.json bash -euo pipefail -c install_node; then
	cp tools/sdk-node/tour.mjs "$cache/sdk-node/" # Modules are looked for beside it.
	beside node "$cache/sdk-node/tour.mjs"
	ran=$((ran + 1))
fi
echo "sdk: $ran of 2 ran"
