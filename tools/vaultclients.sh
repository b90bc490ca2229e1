#!/usr/bin/env bash
# Runs Vault's clients for Python and Node against the gateway: tools/vaultclients starts
# it, and has those for Go and consul-template among its tests. The clients are installed
# below .cache; one that cannot be installed here is skipped with a message.
set -euo pipefail
cd "$(dirname "$0")/.."
cache=$PWD/.cache
mkdir -p "$cache"
ran=0

# beside COMMAND... runs it with the testbed in its environment.
beside() {
	(cd tools/vaultclients && CGO_ENABLED=0 timeout --kill-after=10 180 go run . "$@")
	ran=$((ran + 1))
}

# install NAME FILE COMMAND... runs the command unless it has been run with this
# content of the file. Its output is kept for the reason of a skip.
install() {
	local name=$1 file=$2
	shift 2
	local stamp
	stamp=$cache/vault-$name/stamp-$(cksum <"$file" | cut -d' ' -f1)
	[[ -f $stamp ]] && return
	rm -rf "$cache/vault-$name"
	mkdir -p "$cache/vault-$name"
	if ! timeout --kill-after=10 180 "$@" >"$cache/vault-$name/log" 2>&1; then
		echo "vaultclients: $name is skipped, its client cannot be installed: $(tail -n 1 "$cache/vault-$name/log")"
		return 1
	fi
	touch "$stamp"
}

install_python() {
	python3 -m venv "$cache/vault-python/venv"
	"$cache/vault-python/venv/bin/pip" install --quiet --disable-pip-version-check -r tools/vaultclients/python/requirements.txt
}

install_node() {
	cp tools/vaultclients/node/package.json tools/vaultclients/node/package-lock.json "$cache/vault-node/"
	(cd "$cache/vault-node" && npm ci --silent --no-audit --no-fund --ignore-scripts)
}
export -f install_python install_node
export cache

if ! command -v python3 >/dev/null; then
	echo "vaultclients: python is skipped: there is no python3"
elif install python tools/vaultclients/python/requirements.txt bash -euo pipefail -c install_python; then
	beside "$cache/vault-python/venv/bin/python" "$PWD/tools/vaultclients/python/tour.py"
fi

if ! command -v npm >/dev/null; then
	echo "vaultclients: node is skipped: there is no npm"
elif install node tools/vaultclients/node/package-lock.json bash -euo pipefail -c install_node; then
	cp tools/vaultclients/node/tour.mjs "$cache/vault-node/" # Modules are looked for beside it.
	beside node "$cache/vault-node/tour.mjs"
fi
echo "vaultclients: $ran of 2 ran"
