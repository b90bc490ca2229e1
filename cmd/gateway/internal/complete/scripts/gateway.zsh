#compdef gateway
# zsh completion for gateway: source <(gateway completion zsh), or this file as _gateway in $fpath
_gateway() {
	local line word help
	local -a open openhelp whole wholehelp
	for line in "${(@f)$("${(Q)words[1]}" __complete -- "${(@Q)words[2,CURRENT]}" 2>/dev/null)}"; do
		word=${line%%$'\t'*}
		help=$word
		[[ $line == *$'\t'* ]] && help="$word  -- ${line#*$'\t'}"
		if [[ -z $word ]]; then
			continue
		elif [[ $word == :files ]]; then
			_files
		elif [[ $word == *[=/.] ]]; then
			open+=("$word")
			openhelp+=("$help")
		else
			whole+=("$word")
			wholehelp+=("$help")
		fi
	done
	if (( ${#whole} )); then
		compadd -Q -l -d wholehelp -a whole
	fi
	if (( ${#open} )); then
		compadd -Q -S '' -l -d openhelp -a open
	fi
}
if [[ ${funcstack[1]-} == _gateway ]]; then
	_gateway "$@"
else
	compdef _gateway gateway
fi
