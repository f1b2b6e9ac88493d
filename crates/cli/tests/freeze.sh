#!/bin/sh
# Freezes the bundles of the matrix anew, with the reports that belong to them: after a change of
# what a run records, or of the fixture services. Takes some five minutes and needs Go.
#
#   crates/cli/tests/freeze.sh [CASE…]      such as: freeze.sh healthy leak-per-request
set -eu
cd "$(dirname "$0")/../../.."
cases=
for case in "${@:-}"; do
    cases="$cases live::$(echo "$case" | tr - _)"
done
# shellcheck disable=SC2086 # the names of tests have no blanks
SHAKEDOWN_FREEZE="$PWD/crates/cli/tests/bundles" cargo test -p shakedown-cli --test matrix -- $cases
SHAKEDOWN_BLESS=1 cargo test -p shakedown-cli --test matrix frozen_one
cargo test -p shakedown-cli --test matrix frozen
git status --short crates/cli/tests/bundles
