#!/usr/bin/env bash
# Generates stubs in other languages from the output of `gateway schema` alone, and
# calls the demo with them. A language that cannot be tried here
# is skipped with a printed reason; one that fails fails the run.
#
#   tools/stubs.sh [LANGUAGE...]     python typescript java rust go csharp
#
# Packages and build output stay in .cache/stubs for the next run.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
cache=$root/.cache/stubs
patience=600 # seconds for one language, with all that it has to download

languages=("$@")
((${#languages[@]} > 0)) || languages=(python typescript java rust go csharp)

for language in "${languages[@]}"; do
	if [[ ! -d tools/stubs/$language && $language != csharp ]]; then
		echo "stubs: no language $language" >&2
		exit 2
	fi
done

work=$(mktemp -d)
demo=
finish() {
	[[ -z $demo ]] || kill "$demo" 2>/dev/null || true
	wait
	rm -rf "$work"
}
trap finish EXIT

# skip REASON ends a language that cannot be tried here.
skip() {
	echo "$1" >"$work/skipped"
	exit 77
}

# needs COMMAND... skips the language where one of them is not there.
needs() {
	local command
	for command in "$@"; do
		command -v "$command" >/dev/null || skip "there is no $command"
	done
}

# download COMMAND... runs a command that fetches packages, and skips the language
# when it fails.
download() {
	"$@" >"$work/download" 2>&1 || skip "its packages cannot be had: $(grep -v '^[[:space:]]*$' "$work/download" | tail -n 1)"
}

# maven runs Maven, and takes out its colours, which no option turns off.
maven() {
	mvn -q -B -ntp "$@" 2>&1 | sed $'s/\e\\[[0-9;]*m//g'
}

# sources lists the files for the stubs. Those below google/ and grpc/ are in a
# package of each language's registry, and a program can have each type once.
sources() {
	(cd "$SCHEMA/proto" && find admingateway buf -name '*.proto' | sort)
}

# Each language runs in its folder of the cache, with a copy of its program.

stubs_python() {
	needs python3
	local stamp
	stamp=.installed-$(cksum <requirements.txt | cut -d' ' -f1)
	if [[ ! -f $stamp ]]; then
		rm -rf venv .installed-*
		download python3 -m venv venv
		download venv/bin/pip install --quiet --disable-pip-version-check -r requirements.txt
		touch "$stamp"
	fi
	rm -rf stubs
	mkdir stubs
	local protos
	mapfile -t protos < <(sources)
	venv/bin/python -m grpc_tools.protoc -I "$SCHEMA/proto" --python_out=stubs --pyi_out=stubs --grpc_python_out=stubs "${protos[@]}"
	PYTHONPATH=stubs venv/bin/python main.py
	OPENAI_BASE_URL=$GATEWAY/v1 OPENAI_ADMIN_KEY=$OPERATOR venv/bin/python rest.py | sed 's/^/python, REST: /'
}

stubs_typescript() {
	needs node npm
	download npm ci --ignore-scripts --no-audit --no-fund
	rm -rf src/gen dist
	npx --no buf generate "$SCHEMA/proto"
	npx --no openapi-typescript "$SCHEMA/openapi.json" -o src/gen/rest.ts >openapi.log
	npx --no tsc
	node dist/main.js
}

stubs_java() {
	needs java javac mvn
	download maven dependency:resolve
	rm -rf target
	maven compile exec:java
}

stubs_rust() {
	needs cargo
	download cargo fetch --locked
	cargo build --quiet --locked
	target/debug/stubs
}

stubs_go() {
	local buf=${BUF:-buf}
	needs go "$buf"
	download go mod download
	rm -rf gen
	"$buf" generate "$SCHEMA/proto" --path "$SCHEMA/proto/admingateway"
	go run .
}

# The compiler is of Maven Central. A project has it, and the plugin for services,
# from Grpc.Tools of NuGet, which no other registry has.
stubs_csharp() {
	needs mvn
	local version=4.36.2 platform
	case $(uname -sm) in
	'Linux x86_64') platform=linux-x86_64 ;;
	'Linux aarch64') platform=linux-aarch_64 ;;
	*) skip "this script knows no protoc for $(uname -sm)" ;;
	esac
	local protoc=protoc-$version-$platform.exe
	if [[ ! -x $protoc ]]; then
		download maven org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy \
			"-Dartifact=com.google.protobuf:protoc:$version:exe:$platform" -DoutputDirectory=.
		chmod +x "$protoc"
	fi
	rm -rf gen
	mkdir gen
	local services=()
	if command -v grpc_csharp_plugin >/dev/null; then
		services=("--plugin=protoc-gen-grpc=$(command -v grpc_csharp_plugin)" --grpc_out=gen "--grpc_opt=base_namespace=")
	else
		echo "csharp: messages alone, because there is no grpc_csharp_plugin (NuGet: Grpc.Tools)"
	fi
	local protos
	mapfile -t protos < <(sources)
	"./$protoc" --descriptor_set_in="$SCHEMA/descriptors.binpb" --csharp_out=gen --csharp_opt=base_namespace= "${services[@]}" "${protos[@]}"
	echo "csharp: $(find gen -name '*.cs' | wc -l) files generated, $(find gen -name '*Grpc.cs' | wc -l) of them with services"
	command -v dotnet >/dev/null || echo "csharp: they are not compiled, because there is no dotnet"
}

# shellcheck source=tools/demo.sh
source tools/demo.sh

export SCHEMA=$work/schema
"$root/bin/gateway" schema -o "$SCHEMA" >/dev/null
: >"$work/demo"
"$root/bin/gateway" demo --listen 127.0.0.1:0 >"$work/demo" 2>&1 &
demo=$!
AUDITOR=$(await 'AUDITOR=\([^ ]*\)')
OPERATOR=$(await 'OPERATOR=\([^ ]*\)')
GATEWAY=$(await 'the gateway in front of it on \(http:[^ ]*\)\.')
export AUDITOR OPERATOR GATEWAY
export -f skip needs download maven sources stubs_python stubs_typescript stubs_java stubs_rust stubs_go stubs_csharp
export work

failed=() ran=0 skipped=0
for language in "${languages[@]}"; do
	mkdir -p "$cache/$language"
	[[ $language == csharp ]] || cp -r "$root/tools/stubs/$language/." "$cache/$language/"
	status=0
	(cd "$cache/$language" && timeout --kill-after=10 "$patience" bash -euo pipefail -c "stubs_$language") || status=$?
	case $status in
	0) ran=$((ran + 1)) ;;
	77)
		echo "stubs: $language is skipped: $(cat "$work/skipped")"
		skipped=$((skipped + 1))
		;;
	*)
		echo "stubs: $language FAILED with $status"
		failed+=("$language")
		;;
	esac
done
echo "stubs: $ran passed, ${#failed[@]} failed, $skipped skipped"
((${#failed[@]} == 0))
