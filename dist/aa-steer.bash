# SPDX-License-Identifier: GPL-2.0-only
#
# bash completion for aa-steer. Installed as bash-completion/completions/aa-steer.

_aa_steer_names() # instances, connections and tunnels: what stands between the gateway and the NICs
{
	aa-steer -j "$@" status 2>/dev/null | sed -nE '/^  "instances"/,/^  "nics"/s/.*"name": "([^"]+)".*/\1/p'
}

_aa_steer()
{
	local commands="check status drain undrain reset mode where flows events reload unload version"
	local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} command="" i
	local -a gateway=()

	COMPREPLY=()
	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		-g | --gateway) gateway=(-g "${COMP_WORDS[i + 1]}") && ((i++)) ;;
		-*) ;;
		*) [ -n "$command" ] || command=${COMP_WORDS[i]} ;;
		esac
	done

	case $previous in
	-g | --gateway)
		mapfile -t COMPREPLY < <(compgen -W "$(basename -as .sock /run/aa-steer/*.sock 2>/dev/null)" -- "$current")
		return
		;;
	--deadline | -n | --last | --top) return ;;
	--active | --tunnel)
		mapfile -t COMPREPLY < <(compgen -W "$(_aa_steer_names "${gateway[@]}")" -- "$current")
		return
		;;
	esac

	local words
	case $command:$current in
	:-*) words="--json --gateway --help" ;;
	:*) words=$commands ;;
	drain:-*) words="--now --wait --deadline --dry-run --force --json --gateway --help" ;;
	reset:-*) words="--all --now --deadline --force --json --gateway --help" ;;
	mode:-*) words="--active --json --gateway --help" ;;
	flows:-*) words="--tunnel --top --json --gateway --help" ;;
	events:-*) words="--follow --last --json --gateway --help" ;;
	*:-*) words="--json --gateway --help" ;;
	check:*)
		mapfile -t COMPREPLY < <(compgen -f -- "$current")
		return
		;;
	status:* | drain:* | undrain:* | reset:*) words=$(_aa_steer_names "${gateway[@]}") ;;
	mode:*) words="active-active active-standby" ;;
	where:*) [ "$previous" = where ] && words="tcp udp sctp icmp icmp6" || return ;;
	*) return ;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}

complete -F _aa_steer aa-steer
