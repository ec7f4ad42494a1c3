# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# The script goes on in a session of its own, ahead of ordinary tasks, so that it does its work in time on a busy machine.
# Not at real-time priority, where it would disturb what it watches: since Linux 6.12 the scheduler, where ordinary tasks
# starve for most of a second, takes 50 ms for them from every real-time task of the CPU (the "fair server"). Sourced
# first of all; it starts the script once more. What that starts in its turn is ordinary again by `nice -n $AHEAD`.

AHEAD=15
if [ -z "${AHEAD_ALREADY:-}" ]; then
	AHEAD_ALREADY=1 exec setsid --wait setpriv --pdeathsig TERM "$0" "$@"
fi
renice -n -$AHEAD $$ >/dev/null
# Where the scheduler groups tasks by session, it is the group that counts.
[ ! -e /proc/$$/autogroup ] || echo -$AHEAD >/proc/$$/autogroup
