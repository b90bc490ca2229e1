#!/usr/bin/env bash
# Prints the path of a redis-server, which the tests of cache/ start on ports of
# their own. Where there is none, it is installed if that is ours to do.
set -euo pipefail

find_server() { command -v redis-server || command -v valkey-server; }

if ! find_server >/dev/null; then
	"${0%/*}/install.sh" "the tests of cache/" redis-server || true
fi

find_server || {
	cat >&2 <<-'END'
		redis.sh: there is no redis-server, and the tests of cache/ need a real one
		(Debian: apt-get install redis-server). REDIS_OPTIONAL=1 runs them without.
	END
	exit 1
}
