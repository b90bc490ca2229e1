#!/usr/bin/env bash
# Prints "-race" where the race detector can be built, and nothing where it
# cannot. It needs a C compiler; one is installed where that is ours to do.
set -euo pipefail

works() {
	local out
	out=$(mktemp -d)
	echo 'int main(void) { return 0; }' >"$out/c.c"
	echo '#include <stdlib.h>' >>"$out/c.c"
	local ok=0
	# shellcheck disable=SC2046 # CC may hold flags.
	$(go env CC) -o "$out/c" "$out/c.c" >/dev/null 2>&1 || ok=1
	rm -rf "$out"
	return "$ok"
}

if ! works && [[ $(id -u) == 0 ]] && command -v apt-get >/dev/null; then
	echo "race.sh: no C compiler, installing gcc for the race detector" >&2
	{
		apt-get update -qq
		DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends gcc libc6-dev
	} </dev/null >&2 || echo "race.sh: apt-get failed" >&2
fi

# CGO_ENABLED=0 in the environment would have go refuse -race.
if [[ $(go env CGO_ENABLED) == 1 ]] && works; then
	echo -race
else
	cat >&2 <<-'END'
		****************************************************************
		*  TESTS RUN WITHOUT THE RACE DETECTOR: it needs a C compiler  *
		*  (Debian: apt-get install gcc libc6-dev) and CGO_ENABLED=1.  *
		****************************************************************
	END
fi
