/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Liveness: one session per probed tunnel and per probed instance, by session index 0..MAX_SESSIONS-1.
 *
 * `session_configs` (BPF_MAP_TYPE_ARRAY, mapped into aa-steerd): what to probe. Writer: aa-steerd.
 * `sessions` (BPF_MAP_TYPE_ARRAY): protocol state and measurements. Writer: the BPF programs, under the value's lock.
 * `session_timers` (BPF_MAP_TYPE_ARRAY): the detection timer. Writer: the BPF programs.
 * `session_peers` (BPF_MAP_TYPE_HASH): device and peer's address -> session index. Writer: aa-steerd.
 * `session_events` (BPF_MAP_TYPE_RINGBUF): struct session_event, as verdicts change. Writer: the BPF programs.
 * `probe_rejects` (BPF_MAP_TYPE_PERCPU_ARRAY of one entry): packets of a session's peer that were thrown away, by
 * reason. Writer: the BPF programs.
 *
 * Configuration and state are apart since a timer dies when user space updates the element that holds it. All live
 * until unload, so that sessions go on while one generation of programs replaces another, and while the daemon is away.
 * A session keeps its index for as long as its unit and its peer stay in the configuration.
 */
#ifndef MAPS_SESSIONS_H
#define MAPS_SESSIONS_H

#include <linux/bpf.h>
#include <linux/types.h>

#include "limits.h"

#define SESSION_KEY_BYTES    20
#define SESSION_EVENTS_BYTES (256 * 1024)

enum session_kind { SESSION_NONE, SESSION_BFD, SESSION_ICMP };
enum session_unit { SESSION_OF_TUNNEL, SESSION_OF_INSTANCE };

/* RFC 5880, section 4.1: bfd.AuthType. */
enum session_auth { SESSION_AUTH_NONE = 0, SESSION_AUTH_SHA1 = 4, SESSION_AUTH_METICULOUS_SHA1 = 5 };

struct session_config {
	__u8 kind;	     /* enum session_kind; SESSION_NONE: this index is free */
	__u8 unit_kind;	     /* enum session_unit */
	__u8 multiplier;     /* answers missed until it is down */
	__u8 is_ipv6;	     /* family of both addresses */
	__u8 is_multihop;    /* BFD: UDP 4784 (RFC 5883), else 3784 (RFC 5881) */
	__u8 auth_type;	     /* BFD: enum session_auth */
	__u8 auth_key_id;    /* BFD */
	__u8 auth_key_bytes; /* BFD: 1..SESSION_KEY_BYTES, 0 without authentication */
	__u32 unit;	     /* index in `tunnels` or `instances` */
	__u32 ifindex;	     /* of the device that it is probed through; 0: none now, nothing is sent */
	__u32 discriminator; /* BFD: ours, never 0; its low 16 bits are the UDP source port - 49152, and the ICMP echo
				identifier */
	__u32 reserved;	     /* 0 */
	__u64 interval_ns;   /* between our packets; BFD: and what we ask of the peer's */
	__u64 hold_ns;	     /* answers for this long before a unit that was down is used again */
	__u64 hold_max_ns;   /* the hold after many flaps */
	__u8 local[16];	     /* network order, IPv4 as ::ffff:a.b.c.d */
	__u8 peer[16];
	__u8 auth_key[SESSION_KEY_BYTES]; /* padded with zero: RFC 5880, section 6.7.4 */
	__u8 reserved_too[4];		  /* 0 */
	char name[NAME_BYTES];		  /* the unit's, zero-terminated */
};

/* RFC 5880, section 4.1: Sta. */
enum bfd_state { BFD_ADMIN_DOWN, BFD_DOWN, BFD_INIT, BFD_UP };

/* RFC 5880, section 4.1: Diag, those that arise here. */
enum bfd_diagnostic {
	BFD_NO_DIAGNOSTIC = 0,
	BFD_DETECTION_EXPIRED = 1,
	BFD_NEIGHBOUR_SIGNALLED_DOWN = 3,
	BFD_ADMINISTRATIVELY_DOWN = 7,
};

/* RFC 5880, section 6.8.1. Intervals in microseconds, as on the wire; everything in host order. */
struct bfd {
	__u8 state;	   /* enum bfd_state */
	__u8 remote_state; /* enum bfd_state */
	__u8 diagnostic;   /* enum bfd_diagnostic: why it last left Up */
	__u8 remote_diagnostic;
	__u8 multiplier;	    /* ours, which the peer's detection goes by */
	__u8 remote_multiplier;	    /* 0 before the first packet */
	__u8 polling;		    /* a Poll Sequence of ours runs: P is set in what we send */
	__u8 admin_down;	    /* we leave: AdminDown is sent, and whatever comes in is ignored */
	__u32 discriminator;	    /* ours */
	__u32 remote_discriminator; /* 0: not known (any more) */
	__u32 interval_us;	    /* configured, for when it is Up: desired transmission and required reception */
	__u32 tx_us;		    /* our transmission goes by this; it grows only when a Poll Sequence ended */
	__u32 rx_us;		    /* our detection goes by this; it shrinks only when a Poll Sequence ended */
	__u32 remote_desired_tx_us;
	__u32 remote_required_rx_us; /* 0: the peer wants no packets */
	__u32 tx_sequence;	     /* authentication: of the next packet */
	__u32 rx_sequence;	     /* authentication: of the last packet that was accepted */
	__u8 rx_sequence_known;	     /* bfd.AuthSeqKnown */
	__u8 reserved[3];	     /* 0 */
};

/* Echo requests out, replies in. */
struct echo {
	__u16 sequence;	  /* of the next request */
	__u16 unanswered; /* requests since the last one that was answered; stays at 65,535 */
	__u16 in_a_row;	  /* answers without a miss, up to the multiplier */
	__u16 reserved;	  /* 0 */
	__u64 missed_ns;  /* when the multiplier-th unanswered request left; 0: there are fewer */
};

/* What a unit's health is made of: fast down, slow up. */
struct liveness {
	__u64 dead_since_ns; /* of the last failure; 0: there was none yet */
	__u64 live_at_ns;    /* answers, and is used from this moment on: ahead while it waits; 0: does not answer */
	__u32 flaps;	     /* failures in close succession: each doubles the hold */
	__u8 live;	     /* the unit's probe_dead is 0 */
	__u8 was_live;	     /* ever; until then there is no hold */
	__u8 reserved[2];    /* 0 */
};

struct session {
	struct bpf_spin_lock lock;
	__u32 grants;		    /* since the last answer: more time, for that our own receive path had stalled */
	__u64 deadline_ns;	    /* down then, unless an answer moves it; 0: nothing is awaited */
	__u64 timer_due_ns;	    /* the timer calls back then, or earlier than it must; 0: it does not run */
	__u32 timer_cpu;	    /* and there: where the last answer came in */
	__u32 reserved;		    /* 0 */
	__u64 sent_ns;		    /* our last packet; 0: none yet */
	__u64 send_at_ns;	    /* the next one is due */
	__u64 answered_ns;	    /* the peer's last packet that counts; 0: none yet */
	__u64 silent_from_ns;	    /* the last answer, or the end of a blind time after it; 0: none yet */
	__u64 rtt_ns;		    /* ICMP: of the last answer; 0: none yet */
	__u64 gap_max_ns;	    /* longest between two answers while it was live */
	__u64 blind_ns;		    /* ICMP: sum of the times in which we sent too little to judge */
	__u64 tx_at_answer_packets; /* the tunnel's tx_packets when the last answer came */
	__u64 sent_packets;
	__u64 answered_packets; /* the peer's that count */
	__u64 replied_packets; /* of sent_packets: by the kernel at a packet of the peer's, at once or for a late daemon
				*/
	struct bfd bfd;
	struct echo echo;
	struct liveness liveness;
};

struct session_timer {
	struct bpf_timer timer;
};

struct session_peer_key {
	__u32 ifindex;
	__u8 peer[16]; /* as in session_config */
};

/* X(name, word): what a session says. */
#define SESSION_NEWS(X)                                                                                                \
	X(live, "answers, and is used")                                                                                \
	X(holding, "answers again, and is not used yet")                                                               \
	X(silent, "down: no answer within the detection time")                                                         \
	X(peer_down, "down: the peer says so")                                                                         \
	X(peer_leaves, "the peer has ended it by administration: nothing is judged by it")                             \
	X(blind, "too little was sent to judge by its silence")                                                        \
	X(state, "the protocol's state or timing changed, the verdict did not")

enum session_news {
#define X(name, word) SESSION_NEWS_##name,
	SESSION_NEWS(X)
#undef X
		SESSION_NEWS_COUNT
};

struct session_event {
	__u64 time_ns; /* monotonic */
	__u32 session;
	__u32 news;	     /* enum session_news */
	__u64 silence_ns;    /* since the last answer, blind time left out; of blind: how long */
	__u64 lost_packets;  /* silent, peer_down: steered into the tunnel since the last answer; 0 for instances */
	__u32 discriminator; /* of the configuration then: tells an index that was given to another */
	__u32 reserved;	     /* 0 */
};

/* X(name, sentence): why a packet from a session's peer did not count. RFC 5880, section 6.8.6, in its order. */
#define PROBE_REJECTS(X)                                                                                               \
	X(no_session, "BFD from somebody who is no session's peer")                                                    \
	X(ttl, "single hop, and TTL or hop limit is not 255 (RFC 5881)")                                               \
	X(port, "to the port of single hop where multihop is configured, or the reverse")                              \
	X(truncated, "shorter than a BFD packet, or than it says")                                                     \
	X(version, "not version 1")                                                                                    \
	X(length, "its length field is too small")                                                                     \
	X(multiplier, "detection multiplier 0")                                                                        \
	X(multipoint, "multipoint bit set")                                                                            \
	X(my_discriminator, "its own discriminator is 0")                                                              \
	X(your_discriminator, "our discriminator is 0 or not this session's")                                          \
	X(poll_final, "both Poll and Final are set")                                                                   \
	X(auth_missing, "not authenticated, and must be")                                                              \
	X(auth_unexpected, "authenticated, and must not be")                                                           \
	X(auth_type, "another kind of authentication, key or length than configured")                                  \
	X(auth_sequence, "sequence number outside the window")                                                         \
	X(auth_digest, "wrong digest")                                                                                 \
	X(left, "we have ended the session by administration")                                                         \
	X(echo, "an echo reply to nothing that was asked lately")

enum probe_reject {
#define X(name, sentence) PROBE_REJECT_##name,
	PROBE_REJECTS(X)
#undef X
		PROBE_REJECT_COUNT,
	PROBE_ACCEPTED = PROBE_REJECT_COUNT
};

struct probe_rejects { /* packets */
#define X(name, sentence) __u64 name;
	PROBE_REJECTS(X)
#undef X
};

/*
 * Asking the program session_control: BPF_PROG_TEST_RUN with __sk_buff.cb[0] the session index and cb[1] one of these.
 * The answer is in cb[2], 0 or -errno; of SESSION_SEND: in cb[3] and cb[4] the low and high word of the time in ns
 * until the next packet is due, 0 where the session sends nothing.
 */
enum session_command {
	SESSION_START,	/* from session_configs, from the beginning: its unit is dead until it answers */
	SESSION_JOIN,	/* the same, of a unit in use: it is judged from its first answer on */
	SESSION_RETIME, /* interval, multiplier or hold changed */
	SESSION_ADOPT,	/* the timer is to call this generation's program */
	SESSION_STOP, /* the timer ends, the unit's probe_dead becomes 0; BFD: send AdminDown first, by SESSION_LEAVE */
	SESSION_LEAVE, /* BFD: AdminDown from now on */
	SESSION_SEND, /* if a packet is due, send it. The frame given is SESSION_FRAME_BYTES, its ethertype the family's
		       */
};

#define SESSION_FRAME_BYTES 64

_Static_assert(sizeof(struct session_config) == 136, "session_config");
_Static_assert(sizeof(struct bfd) == 48, "bfd");
_Static_assert(sizeof(struct echo) == 16, "echo");
_Static_assert(sizeof(struct liveness) == 24, "liveness");
_Static_assert(sizeof(struct session) == 208, "session");
_Static_assert(sizeof(struct session_timer) == 16, "session_timer");
_Static_assert(sizeof(struct session_peer_key) == 20, "session_peer_key");
_Static_assert(sizeof(struct session_event) == 40, "session_event");
_Static_assert(sizeof(struct probe_rejects) == 8 * PROBE_REJECT_COUNT, "probe_rejects");

#endif
