#!/usr/bin/env bash
# Runs the vendor's own tests of the Admin API, those of its SDKs for Go and Python,
# against the REST door with a mock of the vendor's description ($1) behind it:
# tools/vendortests. The description is not part of the project: without it, and where
# the mock or a suite cannot be installed, it says so and skips that. What it installs
# is below .cache.
set -euo pipefail
cd "$(dirname "$0")/.."
description=$1
cache=$PWD/.cache
here=$PWD/tools/vendortests

if [[ ! -f $description ]]; then
	echo "vendortests: SKIPPED: $description is not here; DESCRIPTION=file names another"
	exit 0
fi
if ! command -v npm >/dev/null; then
	echo "vendortests: SKIPPED: there is no npm, which installs the mock"
	exit 0
fi

# install NAME FILE COMMAND... runs the command unless it has been run with this
# content of the file. Its output is kept for the reason of a skip.
install() {
	local name=$1 file=$2 stamp
	shift 2
	stamp=$cache/vendortests-$name/stamp-$(cksum <"$file" | cut -d' ' -f1)
	[[ -f $stamp ]] && return
	rm -rf "$cache/vendortests-$name"
	mkdir -p "$cache/vendortests-$name"
	if ! timeout --kill-after=10 300 "$@" >"$cache/vendortests-$name/log" 2>&1; then
		echo "vendortests: $name cannot be installed: $(tail -n 1 "$cache/vendortests-$name/log")"
		return 1
	fi
	touch "$stamp"
}

install_mock() {
	cp "$here/package.json" "$here/package-lock.json" "$cache/vendortests-mock/"
	(cd "$cache/vendortests-mock" && npm ci --silent --no-audit --no-fund --ignore-scripts)
}

install_python() {
	local folder=$cache/vendortests-python version
	version=$(sed -n 's/^openai.*==//p' "$here/requirements.txt")
	python3 -m venv "$folder/venv"
	"$folder/venv/bin/pip" install --quiet --disable-pip-version-check -r "$here/requirements.txt"
	"$folder/venv/bin/pip" download --quiet --disable-pip-version-check --no-deps --no-binary openai --dest "$folder" "openai==$version"
	mkdir "$folder/source"
	tar -xzf "$folder/openai-$version.tar.gz" -C "$folder/source" --strip-components=1
}
export -f install_mock install_python
export cache here

if ! install mock tools/vendortests/package-lock.json bash -euo pipefail -c install_mock; then
	echo "vendortests: SKIPPED: there is no mock"
	exit 0
fi
python=()
if ! command -v python3 >/dev/null; then
	echo "vendortests: the suite for Python is skipped: there is no python3"
elif install python tools/vendortests/requirements.txt bash -euo pipefail -c install_python; then
	python=(-python "$cache/vendortests-python/venv/bin/python" -source "$cache/vendortests-python/source")
else
	echo "vendortests: the suite for Python is skipped"
fi
description=$(realpath "$description")
cd tools/vendortests
CGO_ENABLED=0 exec go run . -openapi "$description" -prism "$cache/vendortests-mock/node_modules/.bin/prism" "${python[@]}"
