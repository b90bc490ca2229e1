#!/usr/bin/env bash
# Runs every fuzz target of the root module for the time given, one by one:
# `go test -fuzz` takes no more than one.
set -euo pipefail

fuzztime=${1:?usage: fuzz.sh DURATION}

packages=$(go list -f '{{.ImportPath}} {{.Dir}}' ./...)
count=0
while read -r package dir; do
	names=$(find "$dir" -maxdepth 1 -name '*_test.go' -exec sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p' {} +)
	for name in $names; do
		echo "fuzz $package $name"
		go test -run '^$' -fuzz "^$name\$" -fuzztime "$fuzztime" -timeout 10m "$package" </dev/null
		count=$((count + 1))
	done
done <<<"$packages"
echo "fuzz targets run: $count, for $fuzztime each"
