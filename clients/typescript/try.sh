#!/usr/bin/env bash
# Installs the package as a program does: try.sh ARTEFACTS WORK. It leaves WORK/example and
# WORK/runner, and the page of the example as static files in WORK/web.
# Exits with 77 and a line that says why where npm or its registry is missing.
set -euo pipefail

here=$(realpath "$(dirname "$0")")
artefacts=$(realpath "$1")
mkdir -p "$2"
work=$(realpath "$2")
example=$here/../../examples/typescript

if ! command -v npm >/dev/null || [ "$(node -p 'process.versions.node.split(".")[0]')" -lt 20 ]; then
  echo "typescript: no npm with Node 20"
  exit 77
fi
if ! npm ping >/dev/null 2>&1; then
  echo "typescript: the registry of npm does not answer"
  exit 77
fi

cp -r "$example/." "$work/"
cp "$here"/conformance/*.ts "$work/"
cd "$work"
npm install --no-audit --no-fund --loglevel=error "$artefacts"/admin-gateway-client-*.tgz >&2
npx tsc >&2
npm run --silent build-web >&2

for program in example runner; do
  printf '#!/bin/sh\nexec node %s "$@"\n' "'$work/dist/$program.js'" >"$program"
  chmod +x "$program"
done
