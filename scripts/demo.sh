#!/usr/bin/env bash
# A working service in a fresh folder, a few cases sent to it as support tooling would, and what
# it answers. Stops the service at the end and says how to keep it running. A folder that an earlier
# run left is made anew; any other that is not empty is refused.
# usage: scripts/demo.sh [PROGRAM [FOLDER]]
set -euo pipefail

redress=${1:-build/release/redress}
data=${2:-build/demo}

fail() {
    echo "demo: $*" >&2
    [ ! -s "$data/serve.log" ] || tail -n 5 "$data/serve.log" >&2
    exit 1
}

# --- a fresh folder, and the service on it ---------------------------------------------------

if [ -f "$data/demo.json" ] &&
    curl -s -o /dev/null --max-time 2 "http://$(jq -r .listen "$data/demo.json")/"; then
    fail "a service still runs on $data; stop it first"
fi
# Only what an earlier demo made is thrown away.
if [ -d "$data" ] && [ -n "$(ls -A "$data")" ]; then
    if [ ! -f "$data/demo.json" ] || [ ! -f "$data/redress.db" ]; then
        fail "$data is no demo folder, and it is not empty: name another folder, or empty it"
    fi
    rm -rf "$data"
elif [ -e "$data" ] && [ ! -d "$data" ]; then
    fail "$data is not a folder"
fi
"$redress" demo --data "$data" >/dev/null || fail "no demo folder"
listen=$(jq -r .listen "$data/demo.json")
support=$(jq -r .keys.support "$data/demo.json")
ops=$(jq -r .keys.ops "$data/demo.json")

scratch=$(mktemp -d)
REDRESS_HEALTH_LISTEN=127.0.0.1:0 \
    "$redress" serve --data "$data" --listen "$listen" 2>"$data/serve.log" &
server=$!
finish() {
    if kill "$server" 2>/dev/null; then
        wait "$server" || true
    fi
    rm -rf "$scratch"
}
trap finish EXIT

started='first(inputs | fromjson? | select(.event == "server_started"))'
for _ in $(seq 200); do
    kill -0 "$server" 2>/dev/null || fail "the service did not start"
    health=$(jq -nRr "$started | .health_listen // .listen" "$data/serve.log" 2>/dev/null || true)
    if [ -n "$health" ] && curl -sf -o /dev/null "http://$health/readyz"; then
        break
    fi
    sleep 0.05
done
curl -sf -o /dev/null "http://$health/readyz" || fail "the service is not ready"
echo "redress listens on $listen; its data is in $data"

# --- how the demo talks to it ----------------------------------------------------------------

# call METHOD PATH AUTHORIZATION [IDEMPOTENCY-KEY [BODY]]: the answer into $scratch/answer.
call() {
    local arguments=(-sS -X "$1" -H "Authorization: Bearer $3" -D "$scratch/head"
        -o "$scratch/answer" -w '%{http_code}')
    [ -z "${4:-}" ] || arguments+=(-H "Idempotency-Key: $4")
    [ -z "${5:-}" ] || arguments+=(-H "Content-Type: application/json" --data-binary "$5")
    status=$(curl "${arguments[@]}" "http://$listen$2") || fail "$1 $2: no answer"
    if [[ $status != 2?? ]]; then
        cat "$scratch/answer" >&2
        fail "$1 $2: $status"
    fi
}

# The parts of a decision that tell the story; the service answers with more.
story='{id, outcome, status, mode, amount, currency,
    reasons: [.reasons[] | "\(.code): \(.text)"],
    options: [.options[] | if .allowed
        then "\(.amount): net value \((.net_value // 0) * 100 | round / 100)"
        else "\(.amount): blocked, \([.blockers[].code] | join(", "))" end],
    budgets: [.budgets[] | "\(.id): \(.remaining) left, price \(.shadow_price)"],
    versions: (.versions | {model, policy})}
    | with_entries(select(.value != null))'

title() {
    printf '\n--- %s\n' "$1"
}

# decide TITLE IDEMPOTENCY-KEY CASE [QUERY]
decide() {
    title "$1"
    echo "POST /v1/decisions${4:-}"
    jq -cn --argjson case "$3" '$case'
    call POST "/v1/decisions${4:-}" "$support" "$2" "$3"
    echo "$status"
    jq "$story" "$scratch/answer"
}

# A case like the sample of demo.json with other fields; features are merged.
sample=$(jq -c .case "$data/demo.json")
case_with() {
    jq -cn --argjson sample "$sample" --argjson other "$1" '$sample * $other'
}

# --- the cases -------------------------------------------------------------------------------

decide "1. A late delivery. What would keep this customer, and is it worth its cost?" \
    demo-1 "$sample"
first=$(jq -r .id "$scratch/answer")
cp "$scratch/answer" "$scratch/first"

title "2. The tooling lost the answer and asks again with the same key: the same bytes"
call POST /v1/decisions "$support" demo-1 "$sample"
cmp -s "$scratch/answer" "$scratch/first" || fail "another answer to the same key"
echo "$status, $(tr -d '\r' <"$scratch/head" | grep -i '^idempotency-replayed')"

title "3. The credit was given: what was held becomes spent"
amount=$(jq .amount "$scratch/first")
settle="{\"amount\": $amount, \"external_ref\": \"refund-1001\"}"
echo "POST /v1/decisions/$first/settle"
echo "$settle"
call POST "/v1/decisions/$first/settle" "$support" demo-1-settle "$settle"
echo "$status"
jq -c '{id, status, amount}' "$scratch/answer"

decide "4. An item was missing. Its price is owed by right; only what comes on top is weighed" \
    demo-4 "$(case_with '{"case_id": "zd-1004", "customer_id": "c_1004", "order_id": "o_1004",
        "issue": "missing_item", "order_amount": 4250, "entitled_amount": 1299,
        "features": {"issue": "missing_item", "items_missing": 1, "minutes_late": 0}}')"

decide "5. Only asking: a dry run holds no money and records no decision" \
    demo-5 "$(case_with '{"case_id": "zd-1005", "customer_id": "c_1005", "order_id": "o_1005",
        "issue": "quality", "features": {"issue": "quality", "minutes_late": 0}}')" "?dry_run=true"

for turn in 1 2; do
    decide "$((5 + turn)). A customer on the watchlist, case $turn" \
        "demo-watch-$turn" "$(case_with '{"case_id": "zd-200'$turn'", "customer_id": "c_2000",
            "order_id": "o_200'$turn'", "segment": "watchlist"}')"
done

title "8. What all this has done to the budgets"
call GET /v1/budgets "$ops"
jq -c '.data[] | {id, period, limit, held, spent, remaining, currency}' "$scratch/answer"

# --- how to go on ----------------------------------------------------------------------------

cat <<END

That was redress. To keep it running on the same folder:

    $redress serve --data $data --listen $listen

Keys for support, ops, science, audit and admin are in $data/demo.json:

    (umask 077; jq -r '"Authorization: Bearer " + .keys.support' $data/demo.json > support.header)
    jq .case $data/demo.json | curl -s http://$listen/v1/decisions -H @support.header \\
        -H 'Idempotency-Key: my-first' -H 'Content-Type: application/json' -d @- | jq
END
