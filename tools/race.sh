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

if ! works; then
	"${0%/*}/install.sh" "the race detector" gcc libc6-dev || true
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
