#compdef gateway
# Completion of gateway for zsh. gateway completion zsh prints this.
_gateway() {
	local -a found open closed
	found=("${(@f)$("${words[1]}" __complete -- "${(@)words[2,CURRENT]}" 2>/dev/null)}")
	open=("${(@M)found:#*[=.]}")
	closed=("${(@)found:#(*[=.]|)}")
	if (( ! $#open && ! $#closed )); then
		_files
		return
	fi
	if (( $#open )); then
		compadd -S '' -- "${open[@]}"
	fi
	if (( $#closed )); then
		compadd -- "${closed[@]}"
	fi
}
compdef _gateway gateway
