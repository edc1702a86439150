/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * serve.h: home's files, served to one lender by a process of the user's.
 *
 * serve.c has the threads and the table of operations, serve_node.c what the
 * lender was told of, serve_watch.c says when that has changed; the others are
 * the operations.  Every thread takes a request off the socket, carries it out
 * by blocking system calls with the user's own rights, and answers: files have
 * no other interface that checks rights, locks, quotas and security modules for
 * exactly this user, and a disk that makes one thread wait must not make all.
 */
#ifndef SDV_HOMEFS_SERVE_H
#define SDV_HOMEFS_SERVE_H

#include <pthread.h>
#include <sys/stat.h>
#include <time.h>

#include "link.h"
#include "table.h"

#define SDV_SERVE_THREADS 8u

/**
 * struct sdv_allow - what is visible of a directory of which not all is
 * @children:	the names that are
 * @is_whole:	everything below is
 */
struct sdv_allow {
	char *name;
	struct sdv_allow *children, *next;
	bool is_whole;
};

/* Which file it is.  The time of birth tells a new file from an old one of the same inode. */
struct sdv_identity {
	dev_t dev;
	ino_t ino;
	struct statx_timestamp birth;
};

enum sdv_mark {
	SDV_MARK_NONE,   /* not tried */
	SDV_MARK_SET,    /* changes will be noticed */
	SDV_MARK_FAILED, /* they will not, and nothing may be kept */
};

/**
 * struct sdv_node - a file or directory that the lender has a number for
 *
 * All fields are protected by the nodes' lock, except where a reference in
 * @users keeps them: a descriptor is not closed while there is one.
 * @number:	index + 1, and a generation above, so that an old number means nothing
 * @allow:	NULL where all of it is visible
 * @type:	S_IFMT of its mode
 * @parent, @name: where it was last seen; @parent has this node in its @children.
 *		NULL for the root
 * @told:	how often the lender was told, less what it forgot
 * @pins:	OPEN and CREATE less RELEASE: the descriptors stay
 * @users:	threads that work with it
 * @path_fd:	O_PATH, or -1 where it is opened when needed
 * @read_fd, @write_fd: of a regular file; the latter may do for both
 * @write_reads: it does
 * @is_lost:	no longer under @name: cannot be opened again, changes are not noticed
 * @is_leased:	the lender may hold attributes or data
 * @nr_telling:	threads that look at names in here; see serve_watch.c
 * @was_used:	since the clock hand was here
 */
struct sdv_node {
	uint64_t number;
	struct sdv_identity identity;
	const struct sdv_allow *allow;
	uint32_t type;
	struct sdv_node *parent;
	char *name;
	uint64_t told;
	unsigned int pins, users, children;
	int path_fd, read_fd, write_fd;
	bool write_reads;
	bool is_lost;
	bool is_closed; /* of a file system that is not served */
	bool is_leased;
	bool was_used;
	enum sdv_mark mark;
	unsigned int nr_telling;
	struct sdv_link_in_table by_identity, by_name, by_handle;
	struct sdv_handle *handle;
};

struct sdv_serve;
struct sdv_locks;

/**
 * struct sdv_work - one request in one thread
 * @in:		SDV_FS_PAYLOAD_MAX bytes
 * @out:	SUPERDEV_FS_IO_MAX bytes; @out_len of them are the answer
 * @reply_flags: SUPERDEV_FS_R_*
 * @is_kept:	a lock that waits: answered later
 */
struct sdv_work {
	struct sdv_serve *serve;
	struct sdv_fs_request request;
	uint8_t *in, *out;
	uint32_t out_len;
	uint64_t reply_flags;
	bool is_kept;
};

#define SDV_DEVICES_MAX 4096u
#define SDV_CLOSED_MAX  64u

/**
 * struct sdv_serve - the process
 * @recv_lock:	held by the thread that receives
 * @lock:	protects all nodes and the fields below it
 * @slots:	nodes by number; @free_slots those that are empty
 * @nr_fds, @max_fds: descriptors that nodes have
 * @hand:	of the clock that chooses which to close
 * @devices:	numbers of file systems, so that inode numbers can be made unique
 * @watch_fd:	fanotify, or -1: nothing may be kept
 * @watch_lock:	held from reading an event until the lender was told; protects
 * @closed:	numbers of files that were closed after writing, to be told of soon
 */
struct sdv_serve {
	struct sdv_link link;
	pthread_mutex_t recv_lock;
	uid_t uid;
	gid_t gid;
	struct sdv_allow *allow;
	struct sdv_node *root;
	struct sdv_locks *locks;

	pthread_mutex_t lock;
	struct slot {
		struct sdv_node *node;
		uint32_t generation;
		uint32_t next_free;
	} *slots;
	size_t nr_slots, max_slots;
	uint32_t free_slots;
	struct sdv_table by_identity, by_name, by_handle;
	unsigned int nr_fds, max_fds;
	size_t hand;
	dev_t devices[SDV_DEVICES_MAX];
	unsigned int nr_devices;

	int watch_fd;
	pthread_mutex_t watch_lock;
	uint64_t closed[SDV_CLOSED_MAX];
	unsigned int nr_closed;
};

/* serve_node.c ------------------------------------------------------------ */

/**
 * sdv_node_open_root - makes the first node
 *
 * Return: 0 or -errno.
 */
int sdv_node_open_root(struct sdv_serve *serve, const char *root);

/**
 * sdv_node_get - the node of a number that the lender sent
 *
 * Takes a reference in users; sdv_node_put() ends it.
 * Return: NULL: there is none (-ESTALE).
 */
struct sdv_node *sdv_node_get(struct sdv_serve *serve, uint64_t number);
void sdv_node_put(struct sdv_serve *serve, struct sdv_node *node);
/* Another reference to a node that the caller has one of. */
void sdv_node_hold(struct sdv_serve *serve, struct sdv_node *node);

/**
 * sdv_node_path - a descriptor of the file itself, O_PATH
 *
 * It stays open while the caller's reference does.
 * Return: a descriptor; -ESTALE: it is not there any more; another -errno.
 */
int sdv_node_path(struct sdv_serve *serve, struct sdv_node *node);

/**
 * sdv_node_io - a descriptor of a regular file for reading or writing
 *
 * Return: a descriptor, as above; -EACCES and the like: this user may not;
 * -EINVAL: it is no regular file.
 */
int sdv_node_io(struct sdv_serve *serve, struct sdv_node *node, bool is_write);

/* Opens @node anew with @flags; the caller closes.  Never follows, never blocks. */
int sdv_node_reopen(struct sdv_serve *serve, struct sdv_node *node, int flags);

/*
 * Gives @node the descriptor @fd, opened with @flags, or closes it where there
 * is one already; returns the one to use.
 */
int sdv_node_adopt(struct sdv_serve *serve, struct sdv_node *node, int fd, int flags);
/* OPEN and CREATE: descriptors stay until sdv_node_unpin(). */
void sdv_node_pin(struct sdv_serve *serve, struct sdv_node *node);
/* RELEASE. */
void sdv_node_unpin(struct sdv_serve *serve, struct sdv_node *node);
/* Closes what nobody has pinned: the next use opens it anew, with the rights of then. */
void sdv_node_close(struct sdv_serve *serve, struct sdv_node *node);
/* FORGET. */
void sdv_node_forget(struct sdv_serve *serve, uint64_t number, uint64_t count);

/**
 * sdv_node_tell - the node of a file that was just looked at, made if need be
 * @dir, @name:	where it was seen; the caller has a reference to @dir
 * @stx:	with STATX_BTIME
 * @ret_node:	with a reference, and told once more
 *
 * Return: 0; -ENFILE: the lender keeps too many; -ENOMEM.
 */
int sdv_node_tell(struct sdv_serve *serve, struct sdv_node *dir, const char *name, const struct statx *stx,
		  struct sdv_node **ret_node);

/* What has that name in @dir, if the lender knows it; with a reference. */
struct sdv_node *sdv_node_child(struct sdv_serve *serve, struct sdv_node *dir, const char *name);
/*
 * @name is about to go away: keeps hold of the file where the lender knows it,
 * for it may have it open.  With a reference; NULL where it is not known.
 */
struct sdv_node *sdv_node_detach(struct sdv_serve *serve, struct sdv_node *dir, const char *name);
/* It has another name now, or (@dir NULL) none. */
void sdv_node_move(struct sdv_serve *serve, struct sdv_node *node, struct sdv_node *dir, const char *name);
/* Its name may have become another file's: then it is lost. */
void sdv_node_recheck(struct sdv_serve *serve, struct sdv_node *node);

/**
 * sdv_node_may - may the lender see, or change, this name?
 * @is_change:	the name is to be made, removed or replaced
 *
 * Return: 0; -ENOENT: it may not be seen; -EACCES, -EROFS: not changed; -ENOTDIR.
 */
int sdv_node_may(const struct sdv_node *dir, const char *name, bool is_change);
/* Is the file itself the lender's to change?  0 or -errno. */
int sdv_node_may_change(const struct sdv_node *node);

/* serve_watch.c ----------------------------------------------------------- */

int sdv_watch_open(struct sdv_serve *serve);
/* Tells the lender what changes until the link ends; a thread of its own. */
void sdv_watch_run(struct sdv_serve *serve);
/* SYNC: everything that changed until now has been told when it returns. */
void sdv_watch_drain(struct sdv_serve *serve);

/**
 * sdv_watch_node - has changes of a directory and of what is in it noticed, or
 * those of a file that has several names
 * @ret_is_new: it was not watched before, so what was read is too old
 *
 * Return: true: they will be.
 */
bool sdv_watch_node(struct sdv_serve *serve, struct sdv_node *node, bool *ret_is_new);
/* Under the nodes' lock: @node goes away. */
void sdv_watch_forget(struct sdv_serve *serve, struct sdv_node *node);

/* Brackets looking at names in @dir and telling the lender. */
void sdv_watch_begin(struct sdv_serve *serve, struct sdv_node *dir);
void sdv_watch_end(struct sdv_serve *serve, struct sdv_node *dir);

/* serve_attr.c ------------------------------------------------------------ */

/**
 * sdv_attr_look - attributes of a node
 *
 * Return: 0 or -errno.
 */
int sdv_attr_look(struct sdv_serve *serve, struct sdv_node *node, struct sdv_fs_attr *ret_attr);

/**
 * sdv_attr_entry - looks @name up and tells it
 *
 * The caller has called sdv_watch_begin(@dir).
 * Return: 0; -ENOENT and other -errno.
 */
int sdv_attr_entry(struct sdv_serve *serve, struct sdv_node *dir, const char *name,
		   struct sdv_fs_entry *ret_entry);

/* May what is told of names in @dir be kept? */
bool sdv_attr_may_name(struct sdv_serve *serve, struct sdv_node *dir);

int sdv_do_getattr(struct sdv_work *work);
int sdv_do_setattr(struct sdv_work *work);
int sdv_do_statfs(struct sdv_work *work);
int sdv_do_getxattr(struct sdv_work *work);
int sdv_do_listxattr(struct sdv_work *work);
int sdv_do_setxattr(struct sdv_work *work);
int sdv_do_removexattr(struct sdv_work *work);

/* serve_name.c ------------------------------------------------------------ */

int sdv_do_hello(struct sdv_work *work);
int sdv_do_lookup(struct sdv_work *work);
int sdv_do_readdir(struct sdv_work *work);
int sdv_do_readlink(struct sdv_work *work);
int sdv_do_create(struct sdv_work *work);
int sdv_do_make(struct sdv_work *work); /* MKDIR, MKNOD, SYMLINK */
int sdv_do_link(struct sdv_work *work);
int sdv_do_unlink(struct sdv_work *work); /* and RMDIR */
int sdv_do_rename(struct sdv_work *work);

/* serve_file.c ------------------------------------------------------------ */

int sdv_do_open(struct sdv_work *work);
int sdv_do_release(struct sdv_work *work);
int sdv_do_read(struct sdv_work *work);
int sdv_do_write(struct sdv_work *work);
int sdv_do_fsync(struct sdv_work *work);
int sdv_do_fallocate(struct sdv_work *work);
int sdv_do_lseek(struct sdv_work *work);
int sdv_do_copy(struct sdv_work *work);

/* serve_lock.c ------------------------------------------------------------ */

struct sdv_locks *sdv_locks_open(struct sdv_serve *serve);
int sdv_do_lock(struct sdv_work *work);
int sdv_do_unlock(struct sdv_work *work);
int sdv_do_cancel(struct sdv_work *work);
/* Tries locks that wait, again and again, until the link ends; a thread of its own. */
void sdv_locks_run(struct sdv_locks *locks);

/* serve.c ----------------------------------------------------------------- */

/* Answers @request; @error 0 or -errno. */
void sdv_serve_reply(struct sdv_serve *serve, const struct sdv_fs_request *request, int error, uint64_t flags,
		     const void *data, uint32_t len);

/**
 * struct sdv_serve_params - what is served
 * @fd:		the connection
 * @root:	directory that the lender sees as its root
 * @paths:	where there are any, only these are visible, and what leads to them;
 *		absolute, as seen from @root
 */
struct sdv_serve_params {
	int fd;
	const char *root;
	const char *const *paths;
	unsigned int nr_paths;
};

/**
 * sdv_serve_run - serves until the connection ends
 *
 * Return: 0: the lender closed it; -errno, and *@ret_what says at what.
 */
int sdv_serve_run(const struct sdv_serve_params *params, const char **ret_what);

/* serve_allow.c ----------------------------------------------------------- */

/**
 * sdv_allow_add - makes @path visible, and what leads to it
 * @ret_allow:	of the root; made if it is NULL
 *
 * Return: 0; -EINVAL: not absolute, or with "." or ".."; -ENOMEM.
 */
int sdv_allow_add(struct sdv_allow **allow, const char *path);
const struct sdv_allow *sdv_allow_find(const struct sdv_allow *allow, const char *name);

#endif
