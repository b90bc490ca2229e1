#!/usr/bin/env bash
# Compares proto/ with the commit that it will land on, or that landed before
# it: $BASE if set, else where this branch left origin/main or main, else (on
# main itself) the commit before this one. Says which.
set -euo pipefail

buf=${1:?usage: breaking.sh BUF}

if ! head=$(git rev-parse --verify --quiet HEAD 2>/dev/null); then
	echo "breaking: no commit to compare with (no git repository, or an empty one)"
	exit 0
fi
if [[ $(git rev-parse --is-shallow-repository) == true ]] && ! git rev-parse --verify --quiet HEAD~1 >/dev/null; then
	timeout 60 git fetch --quiet --deepen=1 </dev/null 2>/dev/null ||
		echo "breaking: shallow clone, and its remote gives no more history"
fi

base=
for ref in ${BASE:-origin/main main}; do
	if ! commit=$(git rev-parse --verify --quiet "$ref^{commit}"); then
		continue
	fi
	# A shallow clone may not hold the commit where the two parted.
	commit=$(git merge-base HEAD "$commit" 2>/dev/null || echo "$commit")
	if [[ $commit != "$head" ]]; then
		base=$commit
		echo "breaking: against $(git rev-parse --short "$base"), from $ref"
		break
	fi
done
if [[ -z $base && -n ${BASE:-} ]]; then
	echo "breaking: BASE=$BASE is this commit, or is not in this clone" >&2
	exit 1
fi
if [[ -z $base ]] && base=$(git rev-parse --verify --quiet HEAD~1); then
	echo "breaking: against $(git rev-parse --short "$base"), the commit before this one"
fi
if [[ -z $base ]]; then
	echo "breaking: this clone holds no earlier commit: nothing to compare with"
	exit 0
fi
if [[ -z $(git ls-tree --name-only "$base" proto/) ]]; then
	echo "breaking: the base has no proto/: nothing to break"
	exit 0
fi

# The schema moved below admingateway once, before anybody used it: packages,
# page sizes (int32) and all. Compatibility is counted from that change on.
if [[ -n $(git ls-tree --name-only "$base" proto/openai) ]]; then
	echo "breaking: the base is from before the packages were renamed to admingateway.*: counting begins here"
	exit 0
fi

# The base is built with today's third_party, which git does not hold.
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
git archive "$base" proto | tar -x -C "$tree"
cp -r buf.yaml third_party "$tree"
"$buf" build "$tree/proto" -o "$tree/base.binpb"
found=$("$buf" breaking proto --against "$tree/base.binpb" --exclude-imports 2>"$tree/errors") && status=0 || status=$?
if ((status != 0)) && [[ -z $found ]]; then
	cat "$tree/errors" >&2
	exit "$status"
fi

# explained FILE WORDS prints the reason for a finding; false without one.
explained() {
	local file words reason
	while IFS=$'\t' read -r file words reason; do
		# shellcheck disable=SC2053 # The words are a pattern.
		if [[ $1 == */$file && $2 == $words ]]; then
			echo "$reason"
			return
		fi
	done < <(grep -v '^#' tools/breaking.tsv)
	return 1
}

failed=0
while IFS= read -r line; do
	[[ -n $line ]] || continue
	file=${line%%:*}
	words=${line#*:*:*:}
	if reason=$(explained "$file" "$words"); then
		echo "breaking: intended: $file: $words ($reason)"
	else
		echo "$line"
		failed=1
	fi
done <<<"$found"
exit "$failed"
