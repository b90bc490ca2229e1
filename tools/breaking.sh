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
"$buf" breaking proto --against "$tree/base.binpb" --exclude-imports
