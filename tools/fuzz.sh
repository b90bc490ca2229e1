#!/usr/bin/env bash
# Runs every fuzz target of the root module for the time given, one by one:
# `go test -fuzz` takes no more than one. With a budget in seconds, no target is
# begun once that is spent; then the first one is another for every commit, so
# that each has its turn.
set -euo pipefail

usage='usage: fuzz.sh DURATION [BUDGET_SECONDS]'
fuzztime=${1:?$usage}
budget=${2:-0}

export CGO_ENABLED=0 # as the product is built
packages=$(go list -f '{{.ImportPath}} {{.Dir}}' ./...)
targets=()
while read -r package dir; do
	names=$(find "$dir" -maxdepth 1 -name '*_test.go' -exec sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p' {} +)
	for name in $names; do
		targets+=("$package $name")
	done
done <<<"$packages"

total=${#targets[@]}
first=0
if ((budget > 0)); then
	commit=$(git rev-parse --verify --quiet HEAD || echo 0)
	first=$((16#${commit:0:6} % total))
fi
ran=0
for ((i = 0; i < total; i++)); do
	if ((budget > 0 && SECONDS >= budget)); then
		echo "fuzz: $budget s are spent, $((total - ran)) targets are left to other commits"
		break
	fi
	read -r package name <<<"${targets[(first + i) % total]}"
	echo "fuzz $package $name"
	go test -run '^$' -fuzz "^$name\$" -fuzztime "$fuzztime" -timeout 10m "$package" </dev/null
	ran=$((ran + 1))
done
echo "fuzz targets run: $ran of $total, for $fuzztime each"
