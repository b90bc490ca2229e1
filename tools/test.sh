#!/usr/bin/env bash
# Tests the root module, with the race detector where it can be built, and then
# the modules given. A module that fails does not stop the others: the end has a
# line for each module, and the status is 1 if one failed. Of a failed module it
# prints an excerpt; the whole output is in .cache/test.
#
# A limit is the time for the tests of one package, compilation not counted. It
# exists for tests that hang. It is four times the time on a machine that runs
# something else seven times over, because a limit that strikes a busy machine
# hides the fault. $TEST_LIMIT (as in 20m) replaces it.
set -euo pipefail
cd "$(dirname "$0")/.."

root_limit=${TEST_LIMIT:-60m}
module_limit=${TEST_LIMIT:-30m}
excerpt_lines=80

logs=$PWD/.cache/test
mkdir -p "$logs"
summary=()
failed=()
module='set-up'
log=/dev/null

# excerpt prints the useful part of a log: no line about a package that
# passed, of the goroutines in a dump the first alone, and of a long rest the
# beginning and the end.
excerpt() {
	awk -v most="$excerpt_lines" '
		/^(ok|\?) / {next}
		/^goroutine [0-9]+ / && dumped++ {skipping = 1; dropped++}
		/^(FAIL|ok|---|===|exit status)/ {
			if (dropped) {lines[n++] = "[" dropped " more goroutines]"}
			skipping = dropped = dumped = 0
		}
		!skipping {lines[n++] = substr($0, 1, 500)}
		END {
			for (i = 0; i < n; i++) {
				if (n > most && i == int(most / 2)) {
					print "[" n - most " lines]"
					i += n - most
				}
				print lines[i]
			}
		}' "$1"
}

# end_module DURATION STATUS ends the report on a module.
end_module() {
	local line="$module: ok, $1 s"
	if (($2 != 0)); then
		line="$module: FAILED, $1 s, the whole output is in $log"
		failed+=("$module")
		excerpt "$log"
	fi
	summary+=("$line")
	echo "test: $line"
}

# test_module DIRECTORY LIMIT FLAGS... tests a module. The flags are go test's.
# Results of packages are printed when they are known.
test_module() {
	local limit=$2 start=$SECONDS status
	module=$1
	log=$logs/$(tr -c 'a-z0-9\n' - <<<"${module#./}").log
	[[ $module != . ]] || log=$logs/root.log
	shift 2
	echo "go test: $module ($*, at most $limit for a package)"
	set +e
	(cd "$module" && exec go test -timeout "$limit" "$@" ./...) 2>&1 |
		tee "$log" |
		grep --line-buffered -E '^(ok|FAIL|---) *'
	status=${PIPESTATUS[0]}
	set -e
	end_module "$((SECONDS - start))" "$status"
}

# interrupted says which module was running when a limit from outside struck.
interrupted() {
	trap - INT TERM
	echo "test: stopped in $module after $SECONDS s; its output so far is in $log and ends with"
	tail -n 20 "$log" 2>/dev/null | cut -c 1-500 || true
	exit 1
}
trap interrupted INT TERM

if server=$(tools/redis.sh); then
	echo "test: tests with a Redis start $server"
elif [[ -z ${REDIS_OPTIONAL:-} ]]; then
	exit 1
fi
race=$(tools/race.sh)
# go test does not say what it skips.
if ! command -v promtool >/dev/null; then
	echo "test: there is no promtool and no prometheus (Debian: apt-get install prometheus): the tests of alerts and dashboard in tools/deploy are skipped"
fi
if [[ ! -f ../shared/upstream/admin-openapi-2026-11.json ]]; then
	echo "test: the vendor's description is not part of the project, and not in ../shared: tests against it are skipped"
fi

# Vet is the linter's, which would do all of it again; without DWARF the test
# binaries are linked in half the time.
test_module . "$root_limit" ${race:+"$race"} -vet=off -ldflags=-w

# What is concurrent in these is mostly processes, and the race detector would take
# minutes to build their libraries once more. -count=1 because some of them build
# the gateway, which the cache of results does not notice.
export CGO_ENABLED=0
for directory in "$@"; do
	test_module "${directory%/}" "$module_limit" -vet=off -ldflags=-w -count=1
done

printf 'test: %s\n' "${summary[@]}"
if ((${#failed[@]} > 0)); then
	echo "test: FAILED in ${#failed[@]} of ${#summary[@]} modules: ${failed[*]}"
	exit 1
fi
echo "test: ${#summary[@]} modules passed, $SECONDS s"
