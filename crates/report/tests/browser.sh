#!/usr/bin/env bash
# The HTML report in a real browser: no error on the console, no request, nothing that a service
# said becomes markup, everything reachable by keyboard, in light, dark, narrow and on paper.
# Needs Chromium (or CHROMIUM=path) and Node.js. With PICTURES=folder it also keeps what it saw.
# Not part of cargo test: it needs programs that a build does not.
set -euo pipefail
here=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")" && pwd)
root=$here/../../..

chromium=${CHROMIUM:-}
for name in chromium chromium-browser google-chrome; do
    [ -n "$chromium" ] || chromium=$(command -v "$name" || true)
done
if [ -z "$chromium" ] || ! command -v node >/dev/null; then
    echo "browser test: Chromium or Node.js is missing (apt-get install chromium nodejs)" >&2
    exit 1
fi

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cargo run --locked --quiet --manifest-path "$root/Cargo.toml" \
    -p shakedown-report --example pages -- "$scratch/pages"
node "$here/browser/run.mjs" "$chromium" "$scratch" "${PICTURES:-}"
