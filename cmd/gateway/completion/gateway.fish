# Completion of gateway for fish. gateway completion fish prints this.
function __gateway_complete
	set -l words (commandline -opc)
	set -l last (commandline -ct)
	set -l found ($words[1] __complete -- $words[2..-1] "$last" 2>/dev/null)
	if test (count $found) -gt 0
		printf '%s\n' $found
	else
		__fish_complete_path "$last"
	end
end
complete -c gateway -f -a '(__gateway_complete)'
