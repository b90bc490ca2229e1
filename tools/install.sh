#!/usr/bin/env bash
# Installs Debian packages where that is ours to do: as root, with apt-get.
# Says so on stderr, and fails if the packages are not installed afterwards.
# Nothing may start a server on a standard port, so services stay off.
set -euo pipefail

purpose=${1:?usage: install.sh PURPOSE PACKAGE...}
shift

if [[ $(id -u) != 0 ]] || ! command -v apt-get >/dev/null; then
	echo "install.sh: $* for $purpose: not root, or no apt-get" >&2
	exit 1
fi
echo "install.sh: installing $* for $purpose" >&2
export RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive
{
	timeout 300 apt-get update -qq || true # Without a network, the packages in the cache may do.
	timeout 300 apt-get install -y -qq --no-install-recommends "$@"
} </dev/null >&2 || {
	echo "install.sh: apt-get failed" >&2
	exit 1
}
