# For .ci/run: commands beside each other. A lane runs its commands one after another, each with a log that is shown when all lanes have
# ended. What several lanes are given is run by the one that comes to it first.
# A command is a function without arguments that ends in what it does: bash does not stop it at a failure in its middle.

LANES=.build/ci      # their logs, and what else they keep apart
lanes=()             # process groups that run
failed=()            # commands that failed, once lanes are joined
declare -A lane_runs # what each lane runs
CI_RUN=$$-$RANDOM    # whoever has this in their environment is ours
export CI_RUN
ENDS_WITHIN=30 # seconds that tests have to end their programs and unmount their disks

rm -rf "$LANES"
mkdir -p "$LANES"
trap end_lanes EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# lane COMMAND...: starts one.
lane() {
    in_a_group run_lane "$@"
    lane_runs[$!]=$*
}

# alone COMMAND ARG...: as the command itself, but signals to this script end it at once, and whole.
alone() {
    in_a_group "$@"
    wait "$!"
}

in_a_group() {
    set -m
    "$@" &
    set +m
    lanes+=("$!")
}

run_lane() {
    local each TIMEFORMAT='in %0Rs with %P %% of a core'
    trap 'exit 130' INT
    for each; do
        mkdir "$LANES/$each.begun" 2>/dev/null || continue
        { time "$each" >"$LANES/$each.log" 2>&1; } 2>"$LANES/$each.cost" && touch "$LANES/$each.passed"
    done
}

# join_lanes: waits for all, shows what they said, and sets `failed`.
join_lanes() {
    local lane each
    local -A shown=()
    for lane in "${lanes[@]}"; do wait "$lane" || true; done
    for lane in "${lanes[@]}"; do
        for each in ${lane_runs[$lane]:-}; do
            [ -n "${shown[$each]:-}" ] || show "$each"
            shown[$each]=yes
        done
    done
    lanes=()
}

show() {
    if [ -e "$LANES/$1.passed" ]; then
        step "$1 has passed, $(cat "$LANES/$1.cost")"
    else
        step "$1 has FAILED"
        failed+=("$1")
    fi
    cat "$LANES/$1.log" || true
}

# end_lanes: nothing that this script has started goes on: tests may end what they have begun, and are killed if they do not.
end_lanes() {
    local lane each deadline=$((SECONDS + ENDS_WITHIN))
    for lane in "${lanes[@]}"; do
        kill -INT -- "-$lane" 2>/dev/null || continue
        while kill -0 -- "-$lane" 2>/dev/null && [ "$SECONDS" -lt "$deadline" ]; do sleep 0.1; done
        kill -KILL -- "-$lane" 2>/dev/null || true
    done
    for each in $(ours); do kill -KILL "$each" 2>/dev/null || true; done
}

# Programs with a session of their own too.
ours() {
    grep -lsz "^CI_RUN=$CI_RUN\$" /proc/[0-9]*/environ | cut -d / -f 3
}
