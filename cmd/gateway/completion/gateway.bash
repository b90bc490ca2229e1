# Completion of gateway for bash. gateway completion bash prints this.
_gateway() {
	local IFS=$'\n' word words=() i
	# Bash parts words at = and :, and completes the last part alone.
	for ((i = 1; i <= COMP_CWORD; i++)); do
		word=${COMP_WORDS[i]}
		if [[ ${#words[@]} -gt 0 && ($word == [=:] || ${COMP_WORDS[i - 1]} == [=:]) ]]; then
			words[-1]+=$word
		else
			words+=("$word")
		fi
	done
	local last=${words[-1]} part=$2
	[[ $part == [=:] ]] && part=
	COMPREPLY=($("$1" __complete -- "${words[@]}" 2>/dev/null))
	local before=${last%"$part"}
	COMPREPLY=("${COMPREPLY[@]#"$before"}")
	if [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *[=.] ]]; then
		compopt -o nospace
	fi
}
complete -o default -F _gateway gateway
