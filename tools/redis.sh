#!/usr/bin/env bash
# Prints the path of a redis-server, which the tests of cache/ start on ports of
# their own. Where there is none, it is installed if that is ours to do.
set -euo pipefail

find_server() { command -v redis-server || command -v valkey-server; }

if ! find_server >/dev/null && [[ $(id -u) == 0 ]] && command -v apt-get >/dev/null; then
	echo "redis.sh: no redis-server, installing it" >&2
	# Nothing may start a server on the standard port: the tests bring their own.
	export RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive
	{
		apt-get update -qq || true # Without a network, what is in the cache may do.
		apt-get install -y -qq --no-install-recommends redis-server
	} </dev/null >&2 || echo "redis.sh: apt-get failed" >&2
fi

find_server || {
	cat >&2 <<-'END'
		redis.sh: there is no redis-server, and the tests of cache/ need a real one
		(Debian: apt-get install redis-server). REDIS_OPTIONAL=1 runs them without.
	END
	exit 1
}
