# shellcheck shell=bash
# For scripts that call a demo, which source this file: its output goes to $work/demo, and
# its process is $demo.
# shellcheck disable=SC2154 # They are the script's.

# await PATTERN waits for a line of the demo, and prints the pattern's group in it.
await() {
	local n
	for ((n = 0; n < 600; n++)); do
		if grep -q "$1" "$work/demo"; then
			sed -n "s|.*$1.*|\\1|p" "$work/demo" | head -n 1
			return
		fi
		kill -0 "$demo" 2>/dev/null || break
		sleep 0.05
	done
	echo "${0##*/}: the demo does not start:" >&2
	cat "$work/demo" >&2
	return 1
}
