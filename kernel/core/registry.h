/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * registry.h: what one network namespace knows of peers, offers and leases.
 *
 * registry.c owns namespaces, peers and offers, lease.c leases and the life of
 * their devices, spread.h is about whose programs may go elsewhere, notify.c turns
 * objects into netlink messages, netlink.c calls all of them.
 * Documentation/locking says which lock is taken inside which.
 */
#ifndef _SUPERDEV_REGISTRY_H
#define _SUPERDEV_REGISTRY_H

#include <linux/kref.h>
#include <linux/mutex.h>
#include <linux/netlink.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>
#include <net/genetlink.h>
#include <uapi/superdev.h>
#include <uapi/superdev_wire.h>

#include "spread.h"

struct net;
struct sdv_device;

/* Bounds per namespace, so that nobody fills the memory of the machine. */
#define SDV_MAX_PEERS		1024
#define SDV_MAX_OFFERS		4096
#define SDV_MAX_LEASES		1024

#define SDV_TEXT_SIZE		256	/* an error or an address, with its zero */
#define SDV_PATHS_SIZE		1024	/* of a lease, with their zero */
#define SDV_CODE_SIZE		16
#define SDV_NODE_SIZE		128
#define SDV_BOOT_LEN		16
/*
 * An offer has to fit into one message of a page (NLMSG_GOODSIZE), so paths
 * and properties end below what their attributes could carry.
 */
#define SDV_PATH_SIZE		1024
#define SDV_PROPERTIES_LEN	2048

/**
 * struct sdv_table - objects of one kind
 * @xa:		by id
 * @next_id:	where the search for a free id begins
 * @count:	objects in @xa
 * @generation:	changes whenever one is added or removed; dumps compare it
 */
struct sdv_table {
	struct xarray	xa;
	u32		next_id;
	unsigned int	count;
	unsigned int	generation;
};

/**
 * struct sdv_agent - what agent-bind said
 * @portid:	netlink port of the bound agent, 0 when there is none
 * @pid:	of its process, a reference; NULL when there is none
 * @is_known:	an agent was bound once; the rest is valid
 * @name:	this machine's name
 * @version:	of the agent
 * @key:	this machine's public key
 * @boot:	boot identity
 * @features:	SUPERDEV_FEAT_*
 * @port:	TCP port that it listens on
 */
struct sdv_agent {
	u32	portid;
	struct pid *pid;
	bool	is_known;
	char	name[SUPERDEV_NAME_LEN + 1];
	char	version[SUPERDEV_NAME_LEN + 1];
	u8	key[SUPERDEV_KEY_LEN];
	u8	boot[SDV_BOOT_LEN];
	u64	features;
	u16	port;
};

/**
 * struct sdv_ns - the registry of one network namespace
 * @kref:	the namespace holds one, each lease one
 * @net:	the namespace; NULL when that has ended and only users of devices
 *		that are gone keep this.  Protected by @lock
 * @op_lock:	one command that changes something runs at a time; held while
 *		lanes and drivers are waited for, so never taken below
 *		lane_mutex or @lock
 * @lock:	innermost; protects everything below and every object's fields
 * @agent:	the agent
 * @peers:	struct sdv_peer
 * @offers:	struct sdv_offer, this machine's and the peers'
 * @leases:	struct sdv_lease, held and lent
 * @lane_generation: like sdv_table.generation, of lanes
 * @spread:	what of it is about programs
 * @nr_works:	leases whose work item is queued or running
 */
struct sdv_ns {
	struct kref		kref;
	struct net		*net;
	/* One command that changes something at a time. */
	struct mutex		op_lock;
	/* All that follows, and the fields of all objects. */
	struct mutex		lock;
	struct sdv_agent	agent;
	struct sdv_table	peers;
	struct sdv_table	offers;
	struct sdv_table	leases;
	unsigned int		lane_generation;
	struct sdv_spread	spread;
	atomic_t		nr_works;
};

struct sdv_peer {
	u32			id;
	char			name[SUPERDEV_NAME_LEN + 1];
	char			address[SDV_TEXT_SIZE];
	char			code[SDV_CODE_SIZE];
	char			error[SDV_TEXT_SIZE];
	u8			key[SUPERDEV_KEY_LEN];
	bool			has_key;
	enum superdev_trust	trust;
	enum superdev_peer_state state;
	enum superdev_transport	transport;
	enum superdev_transport	peer_transport;
	u32			rtt_us;
};

/**
 * struct sdv_offer - something lent, by this machine or by a peer
 * @id:		in sdv_ns.offers
 * @peer:	whose; NULL for this machine's.  A peer's offers go before it does
 * @name:	unique among those of @peer
 * @class:	class name
 * @path:	of this machine's own offers, where the class has one; else NULL
 * @error:	why it failed
 * @read_only:	no lease of it may write
 * @has_size:	@size is valid
 * @size:	bytes
 * @cpus:	of this machine's own offers, processors as wanted; 0 the default
 * @memory:	likewise, bytes
 * @state:	enum superdev_offer_state
 * @properties:	the property attributes as they came, back to back, or NULL
 * @properties_len: bytes of @properties
 */
struct sdv_offer {
	u32			id;
	struct sdv_peer		*peer;
	char			name[SUPERDEV_NAME_LEN + 1];
	char			class[SUPERDEV_NAME_LEN + 1];
	char			*path;
	char			error[SDV_TEXT_SIZE];
	bool			read_only;
	bool			has_size;
	u64			size;
	u32			cpus;
	u64			memory;
	enum superdev_offer_state state;
	void			*properties;
	size_t			properties_len;
};

/**
 * struct sdv_lease - the right to use one offer, at either end
 * @kref:	the table holds one, the device one, queued work one
 * @ns:		the registry, a reference
 * @id:		in sdv_ns.leases; told to userspace
 * @role:	held or lent
 * @state:	changed by sdv_lease_set_state() alone
 * @peer:	name of the peer; outlives the peer
 * @offer:	name of the offer
 * @class:	class name; empty until known
 * @read_only:	wanted, or granted, read-only
 * @is_bound:	a class driver has @sdev
 * @is_removed:	no longer in the table
 * @forget:	to be removed as soon as @old_sdev is gone
 * @number:	the lender's number, 0 until granted
 * @epoch:	0 until granted
 * @lanes:	up
 * @lanes_wanted: kept up by the agent, 0 when it chooses
 * @device:	node in /dev, or empty
 * @paths:	what a held lease shows of this machine's files; empty: all
 * @error:	what a person reads, or empty
 * @denied:	of a lent lease, what its guests tried in vain, as the agent counts
 * @boot:	boot identity of the lender at @epoch
 * @has_boot:	@boot is valid
 * @config:	class attributes
 * @config_len:	bytes of @config
 * @sdev:	the device of a held lease, a reference; NULL before it is
 *		granted and from the moment it is to go
 * @old_sdev:	the device that is going; then @work has the say
 * @work:	plugs and unplugs
 */
struct sdv_lease {
	struct kref		kref;
	struct sdv_ns		*ns;
	u32			id;
	enum superdev_role	role;
	enum superdev_lease_state state;
	char			peer[SUPERDEV_NAME_LEN + 1];
	char			offer[SUPERDEV_NAME_LEN + 1];
	char			class[SUPERDEV_NAME_LEN + 1];
	bool			read_only;
	bool			is_bound;
	bool			is_removed;
	bool			forget;
	u64			number;
	u32			epoch;
	u32			lanes;
	u32			lanes_wanted;
	char			device[SDV_NODE_SIZE];
	char			paths[SDV_PATHS_SIZE];
	char			error[SDV_TEXT_SIZE];
	u64			denied;
	u8			boot[SDV_BOOT_LEN];
	bool			has_boot;
	u8			config[SUPERDEV_CONFIG_LEN];
	size_t			config_len;
	struct sdv_device	*sdev;
	struct sdv_device	*old_sdev;
	struct work_struct	work;
};

/* registry.c */
struct sdv_ns *sdv_ns(struct net *net);
struct sdv_ns *sdv_ns_get(struct sdv_ns *ns);
void sdv_ns_put(struct sdv_ns *ns);
int sdv_registry_init(void);
void sdv_registry_stop(void);
void sdv_registry_exit(void);

void sdv_table_init(struct sdv_table *table);
int sdv_table_add(struct sdv_table *table, void *object, u32 *ret_id);
void sdv_table_del(struct sdv_table *table, u32 id);

bool sdv_name_is_valid(const char *name);
void sdv_copy_text(char *to, size_t size, const char *from);
void sdv_copy_text_attr(char *to, size_t size, const struct nlattr *attr);
__printf(4, 5) int sdv_refuse(struct netlink_ext_ack *extack, const struct nlattr *attr,
			      int error, const char *format, ...);

bool sdv_agent_is_bound(const struct sdv_ns *ns);
void sdv_agent_unbind(struct sdv_ns *ns);

struct sdv_peer *sdv_peer_find(struct sdv_ns *ns, const char *name);
struct sdv_peer *sdv_peer_find_key(struct sdv_ns *ns, const u8 *key);
struct sdv_peer *sdv_peer_alloc(const char *name);
int sdv_peer_add(struct sdv_ns *ns, struct sdv_peer *peer);
void sdv_peer_del(struct sdv_ns *ns, struct sdv_peer *peer);
int sdv_peer_set_trust(struct sdv_ns *ns, struct sdv_peer *peer, enum superdev_trust trust);
void sdv_peer_set_state(struct sdv_ns *ns, struct sdv_peer *peer,
			enum superdev_peer_state state);

struct sdv_offer *sdv_offer_find(struct sdv_ns *ns, const struct sdv_peer *peer,
				 const char *name);
struct sdv_offer *sdv_offer_alloc(struct sdv_peer *peer, const char *name);
void sdv_offer_free(struct sdv_offer *offer);
int sdv_offer_add(struct sdv_ns *ns, struct sdv_offer *offer);
void sdv_offer_del(struct sdv_ns *ns, struct sdv_offer *offer);
bool sdv_offer_may_become(const struct sdv_offer *offer, enum superdev_offer_state state);
int sdv_offer_set_state(struct sdv_ns *ns, struct sdv_offer *offer,
			enum superdev_offer_state state);
const char *sdv_offer_state_name(enum superdev_offer_state state);

/* lease.c */
int sdv_lease_init(void);
void sdv_lease_exit(void);
struct sdv_lease *sdv_lease_get(struct sdv_lease *lease);
void sdv_lease_put(struct sdv_lease *lease);
struct sdv_lease *sdv_lease_find(struct sdv_ns *ns, u32 id);
struct sdv_lease *sdv_lease_lookup(struct sdv_ns *ns, enum superdev_role role,
				   const char *peer, const char *offer);
unsigned int sdv_lease_count(struct sdv_ns *ns, int role, const char *peer,
			     const char *offer);
struct sdv_lease *sdv_lease_alloc(struct sdv_ns *ns, enum superdev_role role,
				  const char *peer, const char *offer);
int sdv_lease_add(struct sdv_lease *lease);
bool sdv_lease_may_become(const struct sdv_lease *lease, enum superdev_lease_state state);
int sdv_lease_set_state(struct sdv_lease *lease, enum superdev_lease_state state);
const char *sdv_lease_state_name(enum superdev_lease_state state);
int sdv_lease_end(struct sdv_lease *lease, enum superdev_lease_state state, bool force,
		  bool forget, const char *error);
void sdv_lease_end_all(struct sdv_ns *ns, int role, const char *peer, const char *offer,
		       bool forget_lent);
void sdv_lease_wait_all(struct sdv_ns *ns);

/* What bus.c tells of a lease's device; none of them with lane_mutex needed. */
void sdv_lease_probing(struct sdv_device *sdev);
void sdv_lease_bound(struct sdv_device *sdev, const char *node);
void sdv_lease_unbound(struct sdv_device *sdev);
void sdv_lease_probe_failed(struct sdv_device *sdev, int error);
void sdv_lease_set_error(struct sdv_device *sdev, const char *text);

/* notify.c */
/**
 * struct sdv_to - where a message goes
 * @portid:	receiver, 0 in notifications
 * @seq:	of the request
 * @flags:	NLM_F_*
 * @cmd:	enum superdev_cmd
 * @cb:		of a dump, else NULL
 */
struct sdv_to {
	u32			portid;
	u32			seq;
	int			flags;
	u8			cmd;
	struct netlink_callback	*cb;
};

typedef int (*sdv_fill_fn)(struct sk_buff *skb, const struct sdv_to *to, const void *object);
int sdv_fill_agent(struct sk_buff *skb, const struct sdv_to *to, const void *agent);
int sdv_fill_peer(struct sk_buff *skb, const struct sdv_to *to, const void *peer);
int sdv_fill_offer(struct sk_buff *skb, const struct sdv_to *to, const void *offer);
int sdv_fill_lease(struct sk_buff *skb, const struct sdv_to *to, const void *lease);
void *sdv_put_header(struct sk_buff *skb, const struct sdv_to *to);

void sdv_notify(struct sdv_ns *ns, u8 cmd, sdv_fill_fn fill, const void *object);
void sdv_notify_agent(struct sdv_ns *ns);
void sdv_notify_peer(struct sdv_ns *ns, const struct sdv_peer *peer);
void sdv_notify_peer_del(struct sdv_ns *ns, const struct sdv_peer *peer);
void sdv_notify_offer(struct sdv_ns *ns, const struct sdv_offer *offer);
void sdv_notify_offer_del(struct sdv_ns *ns, const struct sdv_offer *offer);
void sdv_notify_lease(struct sdv_ns *ns, const struct sdv_lease *lease);
void sdv_notify_lease_del(struct sdv_ns *ns, const struct sdv_lease *lease);
void sdv_notify_lane_down(struct sdv_ns *ns, u32 lease, u32 index, int reason);

/* netlink.c */
extern struct genl_family sdv_family;
int sdv_netlink_init(void);
void sdv_netlink_exit(void);

#endif /* _SUPERDEV_REGISTRY_H */
