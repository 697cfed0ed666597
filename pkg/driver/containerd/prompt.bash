# shellcheck shell=bash
# Read by bash before each prompt in a session: says once, at 80 and at 95 per
# cent, that the workspace fills up. ZFS gives a dataset's quota as its size, so
# that df knows.

# VS Code's shell integration puts a function of its own in PROMPT_COMMAND, which
# came exported; a shell started from this one would look for it in vain.
[[ $PROMPT_COMMAND == '. /etc/medforge-prompt' ]] || export -n PROMPT_COMMAND
if [[ $(df -h --output=avail,pcent /workspace 2>/dev/null) =~ ([0-9.]+[A-Z]?)[[:space:]]+([0-9]+)%$ ]]; then
	_medforge_mark=$((BASH_REMATCH[2] >= 95 ? 95 : BASH_REMATCH[2] >= 80 ? 80 : 0))
	if ((_medforge_mark > ${_medforge_told:-0})); then
		printf 'medforge: /workspace is %s %% full, %s are left; when it is full, nothing can be saved. What takes the space: du -ahx /workspace | sort -h | tail\n' \
			"${BASH_REMATCH[2]}" "${BASH_REMATCH[1]}" >&2
	fi
	_medforge_told=$_medforge_mark
fi
