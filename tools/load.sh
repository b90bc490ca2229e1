#!/usr/bin/env bash
# Reports how many small calls a second each door answers from the cache, side by
# side, with h2load: a gateway and a fake Admin API on loopback, which end with the
# script. Where there are several processors the gateway has the first one to
# itself, so that h2load takes no time from it.
set -euo pipefail

calls=${1:-40000}
gateway=$PWD/bin/gateway

if ! command -v h2load >/dev/null; then
	"${0%/*}/install.sh" h2load nghttp2-client || true
fi
command -v h2load >/dev/null || {
	echo "load.sh: there is no h2load (Debian: apt-get install nghttp2-client)" >&2
	exit 1
}

work=$(mktemp -d)
pids=()
finish() {
	((${#pids[@]} == 0)) || kill "${pids[@]}" 2>/dev/null || true
	wait
	rm -rf "$work"
}
trap finish EXIT

first=() others=()
if (($(nproc) > 1)); then
	first=(taskset -c 0)
	others=(taskset -c "1-$(($(nproc) - 1))")
fi

# await FILE PATTERN waits for a line, and prints the pattern's group in it.
await() {
	local n
	for ((n = 0; n < 200; n++)); do
		if grep -q "$2" "$1" 2>/dev/null; then
			sed -n "s|.*$2.*|\\1|p" "$1" | head -n 1
			return
		fi
		sleep 0.05
	done
	echo "load.sh: it does not start:" >&2
	cat "$1" >&2
	return 1
}

"${others[@]}" "$gateway" sandbox --listen 127.0.0.1:0 >"$work/sandbox" 2>&1 &
pids+=($!)
upstream=$(await "$work/sandbox" 'is on \(http://[^,]*/v1\),')

"$gateway" token new >"$work/token"
token=$(sed -n 's/^token: //p' "$work/token")
echo sk-admin-sandbox >"$work/key"
cat >"$work/policy.yaml" <<END
callers:
  - name: load
    authenticate: [$(sed -n 's/^policy: //p' "$work/token")]
    grants: [{permissions: [projects.read]}]
    limits: {requests_per_second: 1000000, burst: 1000000, concurrent: 10000}
END
cat >"$work/gateway.yaml" <<END
listen: 127.0.0.1:0
grpc_listen: 127.0.0.1:0
ops_listen: 127.0.0.1:0
policy: $work/policy.yaml
audit: {path: $work/audit.jsonl}
upstream: {base_url: $upstream, admin_key: {file: $work/key}}
shutdown: {delay: 0s}
END
GOMAXPROCS=1 "${first[@]}" "$gateway" serve --config "$work/gateway.yaml" >"$work/log" 2>&1 &
served=$!
pids+=("$served")
one=$(await "$work/log" '"listen":"\([^"]*\)"')
fast=$(await "$work/log" '"grpc_listen":"\([^"]*\)"')

printf '\0\0\0\0\2\10\1' >"$work/request" # ListProjects with a limit of 1, as gRPC frames it.
printf '\10\1' >"$work/message"

# spent is the processor time that the gateway has had, in milliseconds.
spent() {
	local fields
	read -r -a fields <"/proc/$served/stat"
	echo $(((fields[13] + fields[14]) * 1000 / $(getconf CLK_TCK)))
}

# measure NAME URL HEADER... reports a door: its rate, and the processor time of a
# call, which does not depend on the other load of the machine, in proportion to the
# first door.
base=
measure() {
	local name=$1 url=$2 headers=() header
	shift 2
	for header in "$@"; do
		headers+=(-H "$header")
	done
	local body=()
	[[ $name == REST ]] || body=(-d "$work/request")
	[[ $name != Connect* ]] || body=(-d "$work/message")
	local before took
	before=$(spent)
	"${others[@]}" timeout 120 h2load -n "$calls" -c 8 -m 32 -t 1 "${body[@]}" -H "authorization: Bearer $token" "${headers[@]}" "$url" >"$work/h2load"
	if ! grep -q "$calls succeeded, 0 failed" "$work/h2load"; then
		cat "$work/h2load" >&2
		return 1
	fi
	took=$(($(spent) - before))
	local rate
	rate=$(sed -n 's|^finished in .*, \([0-9.]*\) req/s.*|\1|p' "$work/h2load")
	base=${base:-$took}
	awk -v name="$name" -v rate="$rate" -v took="$took" -v base="$base" -v calls="$calls" \
		'BEGIN {printf "%-18s %7.0f calls/s %7.1f µs of processor a call %6.2f ×\n", name, rate, 1000 * took / calls, took / base}'
}

procedure=/admingateway.admin.v1.ProjectService/ListProjects
echo "ListProjects from the cache, $calls calls a door, 8 connections with 32 calls at a time, the gateway on one processor:"
measure 'one port, gRPC' "http://$one$procedure" 'content-type: application/grpc+proto' 'te: trailers'
measure 'fast door, gRPC' "http://$fast$procedure" 'content-type: application/grpc+proto' 'te: trailers'
measure 'Connect protobuf' "http://$one$procedure" 'content-type: application/proto'
measure 'REST' "http://$one/v1/organization/projects?limit=1"
