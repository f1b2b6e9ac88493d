#!/bin/sh
# Freezes the bundles of the matrix anew, with the reports that belong to them: after a change of
# what a run records, or of the fixture services. Takes some five minutes and needs Go.
#
#   crates/cli/tests/freeze.sh [CASE…]      such as: freeze.sh healthy leak_per_request
set -eu
cd "$(dirname "$0")/../../.."
SHAKEDOWN_FREEZE="$PWD/crates/cli/tests/bundles" cargo test -p shakedown-cli --test matrix -- "${@:-live}"
SHAKEDOWN_BLESS=1 cargo test -p shakedown-cli --test matrix frozen_one
cargo test -p shakedown-cli --test matrix frozen
git status --short crates/cli/tests/bundles
