# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# TAP for suites in bash: check NAME COMMAND... prints one result; finish ends the suite. What a failed command said
# follows as comments, with the daemon's last lines.

tap_count=0
tap_failed=0
tap_output=$(mktemp)

check() # name command...
{
	local name=$1
	shift
	tap_count=$((tap_count + 1))
	if "$@" >"$tap_output" 2>&1; then
		echo "ok $tap_count - $name"
		return 0
	fi
	tap_failed=$((tap_failed + 1))
	echo "not ok $tap_count - $name"
	{
		echo "failed: $*"
		tail -n 25 "$tap_output"
		[ ! -s "${STEER_DIR:-/nonexistent}/log" ] || tail -n 15 "$STEER_DIR/log" | sed 's/^/aa-steerd: /'
	} | sed 's/^/# /'
	return 1
}

await() # seconds command...: until it succeeds
{
	local end=$((SECONDS + $1))
	shift
	until "$@"; do
		[ $SECONDS -lt $end ] || { echo "never: $*" >&2; return 1; }
		read -rt 0.1 <> <(:) || :
	done
}

skip() # name why
{
	tap_count=$((tap_count + 1))
	echo "ok $tap_count - $1 # SKIP $2"
}

note() { echo "# $*"; }

figure_holds() { [ "$2" = true ] || { echo "the traffic report does not say $1"; false; }; } # condition verdict

# One start of jq for all of them, which is half a second in an emulated machine.
figures() # [name jq-condition]...: each a check of the traffic report
{
	local names=() conditions=() verdicts filter='' i failed=$tap_failed
	while [ $# -gt 0 ]; do
		names+=("$1")
		conditions+=("$2")
		filter+=${filter:+,}"(try ([$2] == [true]) catch false)"
		shift 2
	done
	mapfile -t verdicts < <(jq -c "$filter" "$traffic_dir/report.json")
	for i in "${!names[@]}"; do check "${names[i]}" figure_holds "${conditions[i]}" "${verdicts[i]:-}"; done
	[ "$tap_failed" = "$failed" ] || jq -c '.phases[] |= del(.flows)' "$traffic_dir/report.json" | sed 's/^/# /'
}

finish()
{
	echo "1..$tap_count"
	rm -f "$tap_output"
	[ "$tap_failed" = 0 ]
	exit
}
