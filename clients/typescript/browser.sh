#!/usr/bin/env bash
# Opens the page of the example in headless Chromium: browser.sh WORK GATEWAY TOKEN SCREENSHOT.
# WEB_PORT is the port to serve WORK/web on; the gateway has to allow http://127.0.0.1:WEB_PORT.
# Exits with 77 and a line that says why where Chromium, npm or its registry is missing.
set -euo pipefail

work=$(realpath "$1") gateway=$2 token=$3 screenshot=$(realpath -m "$4")
here=$(realpath "$(dirname "$0")")
chromium=${CHROMIUM:-/usr/bin/chromium}

if [ ! -x "$chromium" ]; then
  echo "typescript: no Chromium at $chromium"
  exit 77
fi
if ! command -v npm >/dev/null || ! npm ping >/dev/null 2>&1; then
  echo "typescript: no npm, or its registry does not answer"
  exit 77
fi

mkdir -p "$work/browser"
cp "$here"/browser/* "$work/browser/"
cd "$work/browser"
npm ci --no-audit --no-fund --loglevel=error >&2
exec timeout --kill-after=10 120 env CHROMIUM="$chromium" TOKEN="$token" \
  node page.mjs "$work/web" "${WEB_PORT:?}" "$gateway" "$screenshot"
