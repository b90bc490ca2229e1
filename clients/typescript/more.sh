#!/usr/bin/env bash
# What is tried in TypeScript alone: the page, in a browser.
#
#   ROOT=… GATEWAY=… AUDITOR_TOKEN=… more.sh WORK      behind try.sh
#
# The pictures stay in dist/browser. Where there is no Chromium and none can be installed,
# this is skipped, and says so.
set -euo pipefail
work=${1:?usage: ROOT=… GATEWAY=… AUDITOR_TOKEN=… more.sh WORK}
here=$(cd "$(dirname "$0")" && pwd)

if ! command -v chromium >/dev/null && ! "$ROOT/tools/install.sh" "the page in a browser" chromium; then
	echo "the page in a browser is skipped: there is no chromium"
	exit
fi
mkdir -p "$ROOT/dist/browser"
status=0
"$here/browser.sh" "$work" "$GATEWAY" "$AUDITOR_TOKEN" "$ROOT/dist/browser/page.png" || status=$?
if ((status == 77)); then
	echo "the page in a browser is skipped"
	exit
fi
exit "$status"
