#!/usr/bin/env bash
# Builds the packages of clients/ and tries them as their users do.
#
#   tools/clients.sh build DIST VERSION [LANGUAGE...]   packages into DIST/LANGUAGE
#   tools/clients.sh test  DIST VERSION [LANGUAGE...]   builds each, and then tries it in an
#                                                       empty project
#   tools/clients.sh earlier DIST [LANGUAGE...]         the same with the schema before its
#                                                       last change, against this gateway
#
# Languages are python, typescript, java, rust and go. One whose toolchain or registry is
# not here is skipped, with the reason; one that fails fails the run. BUF names buf, and
# PROTOS a commit whose proto/ is taken in place of the one that is here.
#
# clients/LANGUAGE has two programs, which both may end with 77 and a reason:
#   build.sh SCHEMA VERSION OUT    makes the package, in a copy of the folder
#   try.sh ARTEFACTS WORK          installs it in a project outside of the tree, and
#                                  leaves WORK/example and WORK/runner
# Both find ROOT, the tree, and SCHEMA_COMMIT, the commit of an earlier schema. What is
# tried in one language alone is in its more.sh.
set -euo pipefail
cd "$(dirname "$0")/.."
export ROOT=$PWD
cache=$ROOT/.cache/clients
patience=900  # seconds for one language, with all that it has to download
at_a_time=2   # one waits for a registry while another compiles

usage() {
	sed -n '2,10s/^# \{0,1\}//p' "$0" >&2
	exit 2
}

(($# >= 2)) || usage
task=$1 dist=$(realpath -m "$2")
shift 2
case $task in
build | test)
	(($# >= 1)) || usage
	version=$1
	shift
	if [[ ! $version =~ ^[0-9]+\.[0-9]+\.[0-9]+(-(dev|alpha|beta|rc))?$ ]]; then
		echo "clients: the version '$version' is not of the form 1.2.3, or 1.2.3-rc (dev, alpha, beta)" >&2
		exit 2
	fi
	;;
earlier) version=0.0.1-dev ;;
*) usage ;;
esac

languages=("$@")
((${#languages[@]} > 0)) || languages=(rust python typescript java go) # what takes longest, first
for language in "${languages[@]}"; do
	if [[ ! -d clients/$language || $language == conformance ]]; then
		echo "clients: no language '$language'" >&2
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
mkdir -p "$cache" "$dist"
# The dependencies are compiled once for all that is built of Rust, and nothing is kept for
# a next change of the code.
export CARGO_TARGET_DIR=$cache/rust CARGO_INCREMENTAL=0

# schema FOLDER [COMMIT] writes what the packages are generated from.
schema() {
	local image=$work/image.binpb
	if [[ -n ${2:-} ]]; then
		mkdir "$work/tree"
		git archive "$2" proto | tar -x -C "$work/tree"
		cp -r buf.yaml third_party "$work/tree"
		"${BUF:-buf}" build "$work/tree" -o "$image"
	else
		"${BUF:-buf}" build -o "$image"
	fi
	(cd tools/clientschema && CGO_ENABLED=0 go run . -image "$image" -out "$1")
}

# each FUNCTION runs it for every language, at_a_time of them, and prints what they said.
each() {
	local language running=()
	for language in "${languages[@]}"; do
		if ((${#running[@]} == at_a_time)); then
			wait -n "${running[@]}" || true
			mapfile -t running < <(jobs -pr | grep -vx "${demo:-0}")
		fi
		one "$1" "$language" &
		running+=($!)
	done
	wait "${running[@]}" || true # The demo goes on.
	local status failed=() ran=0 skipped=0
	for language in "${languages[@]}"; do
		status=$(cat "$work/$language.status")
		case $status in
		0) ran=$((ran + 1)) ;;
		77) skipped=$((skipped + 1)) ;;
		*) failed+=("$language") ;;
		esac
	done
	echo "clients: $task: $ran passed, ${#failed[@]} failed${failed[*]:+ (${failed[*]})}, $skipped skipped"
	((${#failed[@]} == 0))
}

# one FUNCTION LANGUAGE prints what it said when it is over.
one() {
	local status=0 start=$SECONDS
	"$1" "$2" >"$work/$2.out" 2>&1 || status=$?
	case $status in
	0) sed "s/^/$2: /" "$work/$2.out" && echo "clients: $2: ok, $((SECONDS - start)) s" ;;
	77) echo "clients: $2 is skipped: $(tail -n 1 "$work/$2.out")" ;;
	*) sed "s/^/$2: /" "$work/$2.out" && echo "clients: $2 FAILED with $status" ;;
	esac
	echo "$status" >"$work/$2.status"
}

build() {
	local copy=$work/$1
	cp -r "clients/$1" "$copy"
	rm -rf "${dist:?}/$1"
	mkdir -p "$dist/$1"
	(cd "$copy" && timeout --kill-after=10 "$patience" ./build.sh "$work/schema" "$version" "$dist/$1")
}

# try builds a package, installs it outside of the tree, and runs the example and the
# script with it.
try() {
	local language=$1 folder=$work/try-$1
	build "$1" || return
	(cd "clients/$language" && timeout --kill-after=10 "$patience" ./try.sh "$dist/$language" "$folder") || return
	timeout --kill-after=10 120 "$folder/example" </dev/null || return
	timeout --kill-after=10 600 "$cache/rig" -gateway "$ROOT/bin/gateway" -cases "$ROOT/clients/conformance" -runner "$folder/runner" -name "$language" || return
	if [[ $task == test && -x clients/$language/more.sh ]]; then
		(cd "clients/$language" && RIG=$cache/rig timeout --kill-after=10 "$patience" ./more.sh "$folder") || return
	fi
}

# shellcheck source=tools/demo.sh
source tools/demo.sh

case $task in
build)
	schema "$work/schema"
	each build
	exit
	;;
test) schema "$work/schema" ;;
earlier)
	changed=$(git log -1 --format=%H -- proto 2>/dev/null || true)
	if [[ -z $changed ]] || ! before=$(git rev-parse --verify --quiet "$changed^"); then
		echo "clients: earlier: skipped: this clone does not have the schema before its last change"
		exit
	fi
	echo "clients: earlier: with the schema of $(git rev-parse --short "$before")"
	export SCHEMA_COMMIT=$before
	schema "$work/schema" "$before"
	;;
esac

(cd tools/clients && CGO_ENABLED=0 go build -o "$cache/rig" .)
export WEB_PORT=${WEB_PORT:-18081}
: >"$work/demo"
bin/gateway demo --listen 127.0.0.1:0 --tls "$work/tls" --allow-origin "http://127.0.0.1:$WEB_PORT" >"$work/demo" 2>&1 &
demo=$!
GATEWAY=$(await 'the gateway in front of it on \(https:[^ ]*\)\.')
GATEWAY_TOKEN=$(await 'OPERATOR=\([^ ]*\)')
AUDITOR_TOKEN=$(await 'AUDITOR=\([^ ]*\)')
export GATEWAY GATEWAY_TOKEN AUDITOR_TOKEN GATEWAY_CA=$work/tls/ca.pem
each try
