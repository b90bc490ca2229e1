#!/usr/bin/env bash
# Runs every linter over the Go modules given, over proto/ and over the shell
# scripts. All of them run, and any complaint fails.
set -euo pipefail

usage='usage: lint.sh BUF GOLANGCI_LINT MODULE...'
buf=${1:?$usage}
golangci_lint=${2:?$usage}
shift 2
config=$PWD/.golangci.yml
export CGO_ENABLED=0 # as the product is built, so that its compiled packages are reused
failed=0

echo "gofmt"
# Without its status: some versions of gofmt fail on a difference, some do not.
unformatted=$(find . -name '*.go' -not -path './.cache/*' -not -path './gen/*' -exec gofmt -d {} + 2>&1) || true
if [[ -n $unformatted ]]; then
	echo "$unformatted"
	failed=1
fi

for module in "$@"; do
	echo "golangci-lint: $module"
	(cd "$module" && "$golangci_lint" run --config "$config" ./...) || failed=1
done

echo "buf lint"
"$buf" lint || failed=1

echo "buf format"
"$buf" format --diff --exit-code proto || failed=1

scripts=(.ci/run tools/*.sh clients/*/*.sh)
if command -v shellcheck >/dev/null; then
	echo "shellcheck"
	shellcheck "${scripts[@]}" || failed=1
else
	echo "shellcheck is not installed: only the syntax of the scripts is checked"
	for script in "${scripts[@]}"; do
		bash -n "$script" || failed=1
	done
fi

exit "$failed"
