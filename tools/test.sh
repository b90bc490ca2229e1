#!/usr/bin/env bash
# Tests the root module, with the race detector where it can be built, and then
# the modules given, some at a time: several mostly wait. A module that fails
# does not stop the others: the end has a line for each module, and the status is
# 1 if one failed. Of a failed module it prints an excerpt; the whole output is in
# .cache/test.
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
at_a_time=3 # modules beside the root, which has the machine for itself

logs=$PWD/.cache/test
mkdir -p "$logs"
summary=()
failed=()
running=() # modules by the ids of their processes, and the root as 0

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

# log_of MODULE is the file that has its whole output.
log_of() {
	local name
	name=$(tr -c 'a-z0-9\n' - <<<"${1#./}")
	[[ $1 != . ]] || name=root
	echo "$logs/$name.log"
}

# results prints the lines about packages.
results() {
	grep --line-buffered -E '^(ok|FAIL|---) *' || true
}

# end_module MODULE DURATION STATUS ends the report on a module.
end_module() {
	local log line
	log=$(log_of "$1")
	line="$1: ok, $2 s"
	if (($3 != 0)); then
		line="$1: FAILED, $2 s, the whole output is in $log"
		failed+=("$1")
		excerpt "$log"
	fi
	summary+=("$line")
	echo "test: $line"
}

# test_root FLAGS... tests the root module. The flags are go test's. Results of
# packages are printed when they are known.
test_root() {
	local log start=$SECONDS status
	log=$(log_of .)
	running=(.)
	echo "go test: . ($*, at most $root_limit for a package)"
	set +e
	go test -timeout "$root_limit" "$@" ./... 2>&1 | tee "$log" | results
	status=${PIPESTATUS[0]}
	set -e
	running=()
	end_module . "$((SECONDS - start))" "$status"
}

# test_module MODULE FLAGS... tests another one, and leaves how long that took, and its
# status, beside the log.
test_module() {
	local log start=$SECONDS status=0
	log=$(log_of "$1")
	(cd "$1" && exec go test -timeout "$module_limit" "${@:2}" ./...) </dev/null >"$log" 2>&1 || status=$?
	echo "$((SECONDS - start)) $status" >"$log.end"
}

# reap waits until one of the running modules ends, and reports on it.
reap() {
	local ended module log duration status
	wait -n -p ended "${!running[@]}" || true
	module=${running[$ended]}
	unset "running[$ended]"
	log=$(log_of "$module")
	read -r duration status <"$log.end"
	results <"$log"
	end_module "$module" "$duration" "$status"
}

# test_modules FLAGS -- MODULE... tests them, at_a_time.
test_modules() {
	local flags=() module
	while [[ $1 != -- ]]; do
		flags+=("$1")
		shift
	done
	shift
	for module; do
		if ((${#running[@]} == at_a_time)); then
			reap
		fi
		echo "go test: ${module%/} (${flags[*]}, at most $module_limit for a package)"
		set -m # a group of processes, which can be ended
		test_module "${module%/}" "${flags[@]}" &
		set +m
		running[$!]=${module%/}
	done
	while ((${#running[@]} > 0)); do
		reap
	done
}

# interrupted says which modules were running when a limit from outside struck.
interrupted() {
	trap - INT TERM
	local id module log
	for id in "${!running[@]}"; do
		((id == 0)) || kill -- "-$id" 2>/dev/null || true
		module=${running[$id]}
		log=$(log_of "$module")
		echo "test: stopped in $module after $SECONDS s; its output so far is in $log and ends with"
		tail -n 20 "$log" 2>/dev/null | cut -c 1-500 || true
	done
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
# binaries are linked in half the time. One package more than there are processors,
# because some wait for much of their time.
test_root ${race:+"$race"} -vet=off -ldflags=-w -p "$(($(nproc) + 1))"

# What is concurrent in these is mostly processes, and the race detector would take
# minutes to build their libraries once more. -count=1 because some of them build
# the gateway, which the cache of results does not notice.
export CGO_ENABLED=0
test_modules -vet=off -ldflags=-w -count=1 -- "$@"

printf 'test: %s\n' "${summary[@]}"
if ((${#failed[@]} > 0)); then
	echo "test: FAILED in ${#failed[@]} of ${#summary[@]} modules: ${failed[*]}"
	exit 1
fi
echo "test: ${#summary[@]} modules passed, $SECONDS s"
