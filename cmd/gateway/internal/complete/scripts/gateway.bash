# bash completion for gateway: source <(gateway completion bash)
# shellcheck shell=bash
_gateway() {
	local line word reply=()
	COMPREPLY=()
	while IFS= read -r line; do
		reply+=("$line")
	done < <("${COMP_WORDS[0]}" __complete --breaks "$COMP_WORDBREAKS" --line -- "${COMP_LINE:0:COMP_POINT}" 2>/dev/null)
	for line in "${reply[@]}"; do
		word=${line%%$'\t'*}
		if [[ $word == :files ]]; then
			compopt -o default
			continue
		fi
		COMPREPLY+=("$word")
	done
	if [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *[=/.] ]]; then
		compopt -o nospace
	fi
}
complete -F _gateway gateway
