#!/usr/bin/env bash
# Builds the npm package: build.sh SCHEMA VERSION OUT, in a copy of this folder.
# Exits with 77 and a line that says why where npm or its registry is missing.
set -euo pipefail

schema=$(realpath "$1") version=$2 out=$(realpath "$3")
cd "$(dirname "$0")"

if ! command -v npm >/dev/null || [ "$(node -p 'process.versions.node.split(".")[0]')" -lt 20 ]; then
  echo "typescript: no npm with Node 20"
  exit 77
fi
if ! npm ping >/dev/null 2>&1; then
  echo "typescript: the registry of npm does not answer"
  exit 77
fi
npm ci --no-audit --no-fund --loglevel=error >&2

npx buf generate "$schema/proto"
for folder in src/gen/admingateway/*/v1; do # So that a program can import all of a proto package.
  for file in "$folder"/*_pb.js; do
    echo "export * from './$(basename "$file")';"
  done >"$folder/index.js"
  cp "$folder/index.js" "$folder/index.d.ts"
done
npm pkg set version="$version"
printf "/** The version of this package. */\nexport const version = '%s';\n" "$version" >src/version.ts

npx prettier --check . >&2
npx tsc
cp -r src/gen dist/gen
npx tsc --project test
timeout 60 node --test --test-timeout=10000 --test-reporter=spec test/dist/ >&2
# A platform of `browser` has no modules of Node: an import of one fails.
npx esbuild dist/web.js --bundle --platform=browser --format=esm --outfile=test/dist/web.js --log-level=warning
npm pack --silent --pack-destination "$out" >&2
