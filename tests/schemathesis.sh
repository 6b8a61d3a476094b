#!/usr/bin/env bash
# Schemathesis against a running agent's control address: requests made from
# openapi.json, fitting and not, whose answers must be those of the document.
#
#   tests/schemathesis.sh [more arguments for schemathesis run]
#
# Wants schemathesis (pip install schemathesis), curl and a built binary: that of
# EVERBEAT, or target/debug/everbeat. Without schemathesis it says so and is
# done; with EVERBEAT_SCHEMATHESIS=required that is a failure.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

tool="${SCHEMATHESIS:-schemathesis}"
if ! command -v "$tool" >/dev/null; then
    echo "skipped: schemathesis is not installed"
    [ "${EVERBEAT_SCHEMATHESIS:-}" != required ]
    exit
fi
everbeat="${EVERBEAT:-${CARGO_TARGET_DIR:-target}/debug/everbeat}"

folder="$(mktemp -d)"
agent=""
platform=""
finish() {
    for process in $agent $platform; do
        kill "$process" 2>/dev/null || true
        wait "$process" 2>/dev/null || true
    done
    rm -rf "$folder"
}
trap finish EXIT

# until_said PATTERN FILE PROCESS: what the process said of itself.
until_said() {
    local said
    for _ in $(seq 100); do
        said="$(sed -n "s/.*$1.*/\\1/p" "$2" | head -1)"
        if [ -n "$said" ]; then echo "$said"; return; fi
        kill -0 "$3" || break
        sleep 0.1
    done
    cat "$2" >&2
    return 1
}

mkdir "$folder/configs" "$folder/results"
(umask 077 && printf 'a-token-for-tests' >"$folder/token")
"$everbeat" platform --listen 127.0.0.1:0 >"$folder/platform" 2>/dev/null &
platform="$!"
platform_url="$(until_said '\(http:.*\)' "$folder/platform" "$platform")"
"$everbeat" run --workspace-id ws --platform-url "$platform_url" \
    --configs-dir "$folder/configs" --results-file "$folder/results/results.jsonl" \
    --control-listen 127.0.0.1:0 --control-token-file "$folder/token" 2>"$folder/log" &
agent="$!"

address="$(until_said 'taken at \(http:[^ ,]*[0-9]\)' "$folder/log" "$agent")"
# Ready once the platform has accepted a beat.
for _ in $(seq 100); do
    curl --silent --fail --output /dev/null --unix-socket \
        "$folder/configs/everbeat/control.sock" http://everbeat/readyz && break
    sleep 0.1
done

# The stream of events has no end: tests/control_events reads it.
"$tool" run "$address/v1/openapi.json" --url "$address" \
    --header "Authorization: Bearer a-token-for-tests" \
    --exclude-path /v1/events --max-examples "${EVERBEAT_EXAMPLES:-50}" --workers 1 \
    --generation-database none --seed 1 --no-color "$@" || {
    code="$?"
    echo "--- the agent's log"
    tail -20 "$folder/log"
    exit "$code"
}
kill -0 "$agent" || { echo "the agent is gone"; cat "$folder/log"; exit 1; }
