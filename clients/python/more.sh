#!/usr/bin/env bash
# What is tried in Python alone: every method of the schema, the script on asyncio, and the
# vendor's SDK beside the package.
#
#   RIG=… ROOT=… GATEWAY=… AUDITOR_TOKEN=… GATEWAY_CA=… more.sh WORK      behind try.sh
set -euo pipefail
work=${1:?usage: RIG=… ROOT=… more.sh WORK, behind try.sh}
cases=$(cd "$(dirname "$0")" && pwd)/conformance

"$RIG" -gateway "$ROOT/bin/gateway" -cases "$cases" -runner "$work/runner" -name "all methods"
RUNNER_ASYNC=1 "$RIG" -gateway "$ROOT/bin/gateway" -cases "$ROOT/clients/conformance" -runner "$work/runner" -name asyncio
"$work/.venv/bin/python" "$cases/vendor.py"
