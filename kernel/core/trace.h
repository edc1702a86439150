/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * trace.h: one tracepoint for each kind of object, at its change of state.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM superdev

#if !defined(_SUPERDEV_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _SUPERDEV_TRACE_H

#include <linux/tracepoint.h>
#include <uapi/superdev.h>

#include "policy.h"

TRACE_EVENT(superdev_agent,
	TP_PROTO(u32 portid, bool is_bound),
	TP_ARGS(portid, is_bound),
	TP_STRUCT__entry(
		__field(u32, portid)
		__field(bool, is_bound)
	),
	TP_fast_assign(
		__entry->portid = portid;
		__entry->is_bound = is_bound;
	),
	TP_printk("port=%u %s", __entry->portid, __entry->is_bound ? "bound" : "gone")
);

TRACE_EVENT(superdev_peer,
	TP_PROTO(const char *name, u32 trust, u32 state),
	TP_ARGS(name, trust, state),
	TP_STRUCT__entry(
		__string(name, name)
		__field(u32, trust)
		__field(u32, state)
	),
	TP_fast_assign(
		__assign_str(name);
		__entry->trust = trust;
		__entry->state = state;
	),
	TP_printk("%s trust=%s state=%s", __get_str(name),
		  __print_symbolic(__entry->trust,
				   { SUPERDEV_TRUST_PENDING, "pending" },
				   { SUPERDEV_TRUST_TRUSTED, "trusted" }),
		  __print_symbolic(__entry->state,
				   { SUPERDEV_PEER_STATE_OFFLINE, "offline" },
				   { SUPERDEV_PEER_STATE_CONNECTING, "connecting" },
				   { SUPERDEV_PEER_STATE_ONLINE, "online" },
				   { SUPERDEV_PEER_STATE_REFUSED, "refused" }))
);

#define show_superdev_offer_state(state)				\
	__print_symbolic(state,						\
			 { SUPERDEV_OFFER_STATE_PENDING, "pending" },	\
			 { SUPERDEV_OFFER_STATE_READY, "ready" },	\
			 { SUPERDEV_OFFER_STATE_FAILED, "failed" },	\
			 { SUPERDEV_OFFER_STATE_REMOVING, "removing" })

TRACE_EVENT(superdev_offer,
	TP_PROTO(const char *peer, const char *name, u32 from, u32 to),
	TP_ARGS(peer, name, from, to),
	TP_STRUCT__entry(
		__string(peer, peer)
		__string(name, name)
		__field(u32, from)
		__field(u32, to)
	),
	TP_fast_assign(
		__assign_str(peer);
		__assign_str(name);
		__entry->from = from;
		__entry->to = to;
	),
	TP_printk("%s/%s %s -> %s", __get_str(peer), __get_str(name),
		  show_superdev_offer_state(__entry->from),
		  show_superdev_offer_state(__entry->to))
);

#define show_superdev_lease_state(state)				\
	__print_symbolic(state,						\
			 { SUPERDEV_LEASE_STATE_REQUESTED, "requested" }, \
			 { SUPERDEV_LEASE_STATE_GRANTED, "granted" },	\
			 { SUPERDEV_LEASE_STATE_ACTIVE, "active" },	\
			 { SUPERDEV_LEASE_STATE_SUSPENDED, "suspended" }, \
			 { SUPERDEV_LEASE_STATE_RETURNING, "returning" }, \
			 { SUPERDEV_LEASE_STATE_REVOKED, "revoked" },	\
			 { SUPERDEV_LEASE_STATE_FAILED, "failed" },	\
			 { SUPERDEV_LEASE_STATE_GONE, "gone" })

TRACE_EVENT(superdev_lease,
	TP_PROTO(u32 id, const char *peer, const char *offer, u32 role, u32 from, u32 to),
	TP_ARGS(id, peer, offer, role, from, to),
	TP_STRUCT__entry(
		__field(u32, id)
		__string(peer, peer)
		__string(offer, offer)
		__field(u32, role)
		__field(u32, from)
		__field(u32, to)
	),
	TP_fast_assign(
		__entry->id = id;
		__assign_str(peer);
		__assign_str(offer);
		__entry->role = role;
		__entry->from = from;
		__entry->to = to;
	),
	TP_printk("%u %s/%s %s %s -> %s", __entry->id, __get_str(peer), __get_str(offer),
		  __print_symbolic(__entry->role,
				   { SUPERDEV_ROLE_HELD, "held" },
				   { SUPERDEV_ROLE_LENT, "lent" }),
		  show_superdev_lease_state(__entry->from),
		  show_superdev_lease_state(__entry->to))
);

TRACE_EVENT(superdev_policy,
	TP_PROTO(const char *name, const char *what),
	TP_ARGS(name, what),
	TP_STRUCT__entry(
		__string(name, name)
		__string(what, what)
	),
	TP_fast_assign(
		__assign_str(name);
		__assign_str(what);
	),
	TP_printk("%s %s", __get_str(name), __get_str(what))
);

TRACE_EVENT(superdev_decision,
	TP_PROTO(u32 pid, const char *path, const struct sdv_choice *choice),
	TP_ARGS(pid, path, choice),
	TP_STRUCT__entry(
		__field(u32, pid)
		__field(u32, lease)
		__field(u64, took_ns)
		__string(path, path)
		__string(policy, choice->policy)
		__string(why, choice->why)
	),
	TP_fast_assign(
		__entry->pid = pid;
		__entry->lease = choice->lease;
		__entry->took_ns = choice->took_ns;
		__assign_str(path);
		__assign_str(policy);
		__assign_str(why);
	),
	TP_printk("pid=%u %s lease=%u policy=%s took=%lluns: %s", __entry->pid,
		  __get_str(path), __entry->lease, __get_str(policy), __entry->took_ns,
		  __get_str(why))
);

#endif /* _SUPERDEV_TRACE_H */

#undef TRACE_INCLUDE_PATH
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_PATH .
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
