#!/usr/bin/env bash
# Durable decisions per second, beside a bare HTTP server of the same library and settings: short
# rounds of the two in turn, so that a busy machine slows both; medians of the rounds.
# usage: tests/bench/run_bench.sh [--json] [--rounds 5] [--seconds 3] [--connections 64]
#                                 [--cases 5000] [--rate REQUESTS-PER-SECOND] [BUILD-FOLDER]
# With --rate the loop is open: latency counts from the moment a request was due.
set -euo pipefail
cd "$(dirname "$0")/../.."

json=false rounds=5 seconds=3 connections=64 cases=5000 rate=0 build=build/release
while [ $# -gt 0 ]; do
    case $1 in
    --json) json=true ;;
    --rounds | --seconds | --connections | --cases | --rate)
        declare "${1#--}=$2"
        shift
        ;;
    -*)
        sed -n 's/^# usage: /usage: /p; s/^#  \+\[/    [/p' "$0" >&2
        exit 2
        ;;
    *) build=$1 ;;
    esac
    shift
done

folder=$(mktemp -d)
children=()
finish() {
    for child in "${children[@]}"; do
        kill "$child" 2>/dev/null || continue
        wait "$child" || true
    done
    rm -rf "$folder"
}
trap finish EXIT

fail() {
    echo "bench: $*" >&2
    [ ! -s "$folder/serve.log" ] || tail -n 5 "$folder/serve.log" >&2
    exit 1
}

# --- the two servers -------------------------------------------------------------------------

"$build/redress" demo --data "$folder/data" >/dev/null || fail "no demo folder"
demo=$folder/data/demo.json
support=$(jq -r .keys.support "$demo")

# Budgets that outlast the run.
"$build/redress" budget list --data "$folder/data" --json | jq -r '.data[].id' |
    while read -r budget; do
        "$build/redress" budget set "$budget" --limit 9000000000000 --data "$folder/data" >/dev/null
    done || fail "no budgets"

REDRESS_HEALTH_LISTEN=127.0.0.1:0 \
    "$build/redress" serve --data "$folder/data" --listen 127.0.0.1:0 2>"$folder/serve.log" &
server=$!
"$build/tests/bench/hello" >"$folder/hello.out" &
hello=$!
children=("$server" "$hello")

listen=""
for _ in $(seq 200); do
    kill -0 "$server" 2>/dev/null || fail "the service did not start"
    listen=$(jq -nRr 'first(inputs | fromjson? | select(.event == "server_started")) | .listen' \
        "$folder/serve.log" 2>/dev/null || true)
    [ -z "$listen" ] || [ ! -s "$folder/hello.out" ] || break
    sleep 0.05
done
[ -n "$listen" ] || fail "the service did not start"
hello_port=$(jq -r .port "$folder/hello.out")

# --- cases that never repeat -------------------------------------------------------------------

# Ten '@' become a number that no other request has.
own='.case_id = "b-@@@@@@@@@@" | .customer_id = "c_@@@@@@@@@@" | .order_id = "o_@@@@@@@@@@"'
if [ -x scripts/refund_world.py ]; then
    scripts/refund_world.py --json --cases "$cases" --seed 7 | jq -c "$own" >"$folder/cases"
else
    jq -c ".case | $own" "$demo" >"$folder/cases"
fi

# --- rounds ----------------------------------------------------------------------------------

load() {
    "$build/tests/bench/load" --connections "$connections" --seconds "$seconds" \
        --rate "$rate" --body "$folder/cases" "$@"
}
for round in $(seq "$rounds"); do
    [ ! -t 2 ] || printf 'round %d of %d\r' "$round" "$rounds" >&2
    load --port "$hello_port" --server-pid "$hello" >>"$folder/hello.rounds"
    load --port "${listen##*:}" --server-pid "$server" --path /v1/decisions --key "$support" \
        --match '"outcome":"credit"' >>"$folder/redress.rounds"
done

jq -n --slurpfile hello "$folder/hello.rounds" --slurpfile redress "$folder/redress.rounds" \
    --argjson connections "$connections" --argjson seconds "$seconds" \
    --argjson rate "$rate" '
    def median: sort | if length % 2 == 1 then .[length / 2 | floor]
        else (.[length / 2 - 1] + .[length / 2]) / 2 end;
    def medians: . as $runs
        | reduce ("per_second", "p50_ms", "p90_ms", "p99_ms", "server_cpu_us") as $name
            ({}; .[$name] = ([$runs[][$name]] | median));
    # Paired: each round beside the one that ran just before it.
    def ratio($name): [range($hello | length) | $redress[.][$name] / $hello[.][$name]] | median;
    def sum(f): [$redress[] | f] | add;
    {connections: $connections, rate: (if $rate > 0 then $rate else null end), rounds: ($hello | length), seconds: $seconds,
     decisions: sum(.requests), credits: sum(.matches), errors: sum(.errors),
     statuses: ([$redress[].status | to_entries[]] | group_by(.key)
        | map({(.[0].key): (map(.value) | add)}) | add),
     hello: ($hello | medians), redress: ($redress | medians),
     ratio: {per_second: ratio("per_second"), p50_ms: ratio("p50_ms"),
        p90_ms: ratio("p90_ms"), p99_ms: ratio("p99_ms"),
        server_cpu_us: ratio("server_cpu_us")}}' >"$folder/report"

if $json; then
    cat "$folder/report"
else
    jq -r '
        def digits($n): . * pow(10; $n) | round / pow(10; $n) | tostring;
        def row($title; $name; $n): [$title, (.hello[$name] | digits($n)),
            (.redress[$name] | digits($n)), (.ratio[$name] | digits(3))] | @tsv;
        (["", "hello", "redress", "ratio"] | @tsv),
        row("requests/s"; "per_second"; 0),
        row("p50 ms"; "p50_ms"; 3),
        row("p90 ms"; "p90_ms"; 3),
        row("p99 ms"; "p99_ms"; 3),
        row("server CPU us"; "server_cpu_us"; 1)' "$folder/report" |
        awk -F '\t' '{ printf "%-15s %12s %12s %8s\n", $1, $2, $3, $4 }'
    jq -r '"\(.decisions) durable decisions in \(.rounds) rounds of \(.seconds) s over \(.connections) connections, \(.credits) with a credit, \(.errors) errors"' \
        "$folder/report"
fi
[ "$(jq .errors "$folder/report")" -eq 0 ] || fail "errors: $(jq -c .statuses "$folder/report")"
