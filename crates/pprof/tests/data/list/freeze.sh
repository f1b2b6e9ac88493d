#!/bin/sh
# Makes the frozen listings anew with the `go tool pprof` that is installed: busy.list.txt, and
# busy.weblist.html from its <body> on (style and script of the page are not compared).
# The page is made sixteen times first: the original walks a map in random order, and only a page
# that is always the same can be frozen.
set -eu
cd "$(dirname "$0")"
export TZ=UTC PPROF_BINARY_PATH=/nowhere
page() {
    go tool pprof -symbolize=none -weblist='main\.(main|shuffle|work)$|^main\.sum$' \
        -source_path=src -output="$1" busy.pb.gz 2>/dev/null
    sed -n '/^<body>/,$p' "$1"
}
scratch=$(mktemp)
trap 'rm -f "$scratch"' EXIT
first=$(page "$scratch")
for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do
    [ "$(page "$scratch")" = "$first" ] || { echo "the page is not always the same" >&2; exit 1; }
done
printf '%s\n' "$first" > busy.weblist.html
go tool pprof -symbolize=none -list='main\.|Sum256' -source_path=src busy.pb.gz > busy.list.txt
