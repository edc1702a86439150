/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mount.h: home's files at the lender, as a FUSE file system.
 *
 * mount_fuse.c alone knows libfuse: it turns what the kernel asks into the
 * sdv_on_ functions below, and answers into replies.  mount_call.c asks home.
 * mount_file.c has what home told: files, and names in directories, which are
 * kept until home says otherwise.
 *
 * No function here waits: a question that home must answer is a call with a
 * function that goes on when the answer is there.  One lock covers everything,
 * and an answer is given to the kernel under it.  So whether something may be
 * kept is decided, and told to the kernel, before the next INVAL is looked at;
 * that is then also told to the kernel, by a thread that holds no lock, because
 * the kernel may be waiting for an answer before it can forget.
 */
#ifndef SDV_HOMEFS_MOUNT_H
#define SDV_HOMEFS_MOUNT_H

#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>

#include "link.h"
#include "table.h"

struct fuse_req; /* libfuse's fuse_req_t points to it */
struct sdv_mount;
struct sdv_file;

/*
 * Home's users 0 to 65535 are so many from first_id on, and process 1 of a guest is the one
 * behind (SDV_GUEST_INIT_ID of agent/task/guest.h); the next is whose process this is.
 */
#define SDV_HOMEFS_NR_IDS 65536u
#define SDV_HOMEFS_ID     65537u
#define SDV_HOMEFS_NOBODY 65534u

enum sdv_name_state {
	SDV_NAME_THERE,
	SDV_NAME_ABSENT,
	SDV_NAME_UNKNOWN, /* of a listing that is complete but for this */
};

/**
 * struct sdv_name - what is known of one name in a directory
 * @file:	where it is THERE; holds a reference
 * @is_in_kernel: was told to the kernel as something to be kept
 * @round:	of the listing that had it
 */
struct sdv_name {
	struct sdv_link_in_table link;
	struct sdv_file *file;
	enum sdv_name_state state;
	bool is_in_kernel;
	uint32_t round;
	char name[];
};

/* Bytes that the kernel believes to be written, and home has not confirmed. */
struct sdv_extent {
	struct sdv_extent *next;
	uint64_t offset;
	uint32_t len, size;
	bool is_sent;
	uint8_t *data; /* until it is sent */
};

/* What goes on when nothing is unconfirmed any more. */
struct sdv_waiter {
	struct sdv_waiter *next;
	void (*run)(struct sdv_mount *mount, void *arg);
	void *arg;
};

/**
 * struct sdv_file - a file or directory, as home's kernel and the lender's know it
 * @number:	home's
 * @told:	how often home told it
 * @lookups:	how often the kernel was told
 * @refs:	names, handles and calls that point here
 * @attr:	valid if has_attr, and then to be kept
 * @fence:	attributes of calls that were sent before are too old
 * @names:	of a directory: what is known, by hash of the name
 * @is_complete: @names has all of them, so what is not in it is not there
 * @names_fence: as @fence, of names in here
 * @told_fence:	of names: by INVAL alone
 * @nr_absent:	names that are ABSENT
 * @nr_lookups:	that went to home
 * @is_listing:	a listing is on its way, for the sake of lookups
 * @is_large:	too large for one
 * @first, @last, @nr_sent, @unconfirmed: extents, and bytes in them
 * @written_end: end of what was written since @attr was taken
 * @waiters:	for all to be confirmed; @writers: for there to be less of it
 * @error, @error_count: last that a write ended in, and how many there were
 * @bytes:	@bytes_len of its contents, from @bytes_offset on; @bytes_max allocated
 * @is_whole:	@bytes is all of it, for it was written here
 * @has_locks:	POSIX locks may be held
 * @nr_flocked:	open files that have a flock
 * @drops_begun, @drops_done: locks that went with the descriptor: home is told, has confirmed
 * @is_suspect:	was last opened when changes of it were not noticed
 */
struct sdv_file {
	struct sdv_link_in_table by_number;
	uint64_t number, told, lookups;
	unsigned int refs;
	struct sdv_fs_attr attr;
	bool has_attr;
	uint64_t fence;

	struct sdv_table names;
	bool is_complete, is_listing, is_large;
	uint64_t names_fence, told_fence;
	unsigned int nr_absent, nr_lookups;

	struct sdv_extent *first, *last;
	unsigned int nr_sent;
	uint64_t unconfirmed, written_end;
	struct sdv_waiter *waiters, *writers;
	int error;
	uint32_t error_count;

	uint8_t *bytes;
	uint64_t bytes_offset;
	uint32_t bytes_len, bytes_max;
	bool is_whole;
	bool has_locks, is_suspect;
	uint32_t drops_begun, drops_done;
	unsigned int nr_flocked;
};

/**
 * struct sdv_open - an open file
 * @is_at_home:	home has it open, too, and is to be told when it is closed
 * @flags:	as in open(2)
 * @error_count: errors that this one need not report
 * @is_quiet:	the kernel does not tell when a descriptor of it is closed, only when the last is
 * @lockers:	of a quiet one: whoever has asked for a POSIX lock by it
 * @list, @list_len: of a directory: its names, as they were at the first read
 */
struct sdv_open {
	struct sdv_file *file;
	bool is_at_home;
	int flags;
	uint32_t error_count;
	bool is_quiet, has_flock;
	uint64_t *lockers;
	unsigned int nr_lockers;
	struct sdv_listed {
		uint64_t ino;
		uint32_t mode;
		char *name;
	} *list;
	size_t list_len, list_max;
};

/**
 * struct sdv_call - a question to home, until it is answered
 * @done:	called under the lock, once; @error 0, -errno, or -ENOTCONN where
 *		home is gone.  @data is valid meanwhile.  May be called before
 *		sdv_call_send() returns.  Frees the call by sdv_call_free()
 * @stamp:	the clock when it was sent
 * @file, @dir: hold references
 * @go_on:	see sdv_attr_fetch()
 * The rest is for the owner to remember.
 */
struct sdv_call {
	void (*done)(struct sdv_mount *mount, struct sdv_call *call, int error, const uint8_t *data,
		     uint32_t len, uint64_t flags);
	void (*go_on)(struct sdv_mount *mount, struct sdv_call *call, int error,
		      const struct sdv_fs_attr *attr, bool is_kept);
	struct sdv_link_in_table by_tag;
	uint32_t tag, count;
	uint8_t op;
	uint64_t stamp;
	struct sdv_file *file, *dir, *dir2;
	struct fuse_req *req;
	struct sdv_open *open;
	struct sdv_extent *extent;
	uint64_t offset, owner;
	uint32_t size, flags, tries;
	char *name, *name2;
	void *arg;
};

struct sdv_notice;
struct sdv_channel;

/**
 * struct sdv_mount - the process
 * @lock:	protects everything but the link and the notices
 * @clock:	counts what makes older answers unfit to be kept
 * @lost_fence:	as a file's fence, where an INVAL named one that is not known here
 * @uid, @gid:	of home's user, at home and in the mount
 * @is_alone:	no other user is mapped there
 * @dir_fd:	the mount, until it is ready
 * @first_id:	what home's users 0 and on are at the lender; 0: themselves
 * @calls:	by tag
 * @forgets, @nr_forgets: to be told to home when there are enough
 * @notice_lock: protects @notices, @last_notice and
 * @is_passing:	a notice is with the kernel, and may be waiting there
 * @nr_names, @max_names: in all directories, and when to forget some
 * @round:	counts listings
 * @unconfirmed, @bytes_total: of all files
 * @round_trips: calls that somebody waited for, for measurements
 */
struct sdv_mount {
	struct sdv_link link;
	struct fuse_session *session;
	pthread_mutex_t lock;
	uint64_t clock, lost_fence;
	struct sdv_table calls, files;
	uint32_t next_tag;
	struct sdv_file *root;
	uint32_t uid, gid;
	bool is_alone, is_over;
	struct superdev_fs_forget *forgets;
	size_t nr_forgets;
	size_t nr_names, max_names;
	uint32_t round;
	uint64_t unconfirmed, bytes_total;
	int control_fd, dir_fd;
	uint32_t first_id;

	pthread_mutex_t notice_lock;
	pthread_cond_t has_notice;
	struct sdv_notice *notices, *last_notice;
	bool is_passing;

	uint64_t round_trips[SUPERDEV_FS_END - SUPERDEV_FS_HELLO];
};

/* mount_call.c ------------------------------------------------------------ */

struct sdv_call *sdv_call_new(struct fuse_req *req, struct sdv_file *file, struct sdv_file *dir);
void sdv_call_free(struct sdv_mount *mount, struct sdv_call *call);
/*
 * Sends @request, which gets the call's tag; see struct sdv_call.  False: it failed,
 * done has been called, and the call may be no more.
 */
bool sdv_call_send(struct sdv_mount *mount, struct sdv_call *call, struct sdv_fs_request *request);
/* Sends what has no answer. */
void sdv_call_tell(struct sdv_mount *mount, struct sdv_fs_request *request);
/* Receives until the connection ends, and then lets every call end; 0 or -errno. */
int sdv_call_run(struct sdv_mount *mount);
/* HELLO, before there are threads; 0 or -errno. */
int sdv_call_hello(struct sdv_mount *mount);
/* Has home's answer to "has all been told?" end in sdv_control_answer(). */
void sdv_call_sync(struct sdv_mount *mount, struct sdv_channel *channel);
/* Gives back a call of lock that waits; without the lock. */
void sdv_call_cancel(struct sdv_mount *mount, uint32_t tag);

/* What the kernel is to forget: a name, or a file's attributes (and contents). */
void sdv_notice_name(struct sdv_mount *mount, struct sdv_file *dir, const char *name);
void sdv_notice_file(struct sdv_mount *mount, struct sdv_file *file, bool has_data);
/* Passes notices on; a thread of its own. */
void sdv_notice_run(struct sdv_mount *mount);
/* Waits until none is with the kernel, some seconds at most. */
void sdv_notice_end(struct sdv_mount *mount);

/* mount_file.c ------------------------------------------------------------ */

/* The file of a number that home told; told once more; NULL: no memory. */
struct sdv_file *sdv_file_told(struct sdv_mount *mount, uint64_t number);
struct sdv_file *sdv_file_find(struct sdv_mount *mount, uint64_t number);
void sdv_file_hold(struct sdv_file *file);
void sdv_file_put(struct sdv_mount *mount, struct sdv_file *file);
/* FORGET of the kernel. */
void sdv_file_forget(struct sdv_mount *mount, struct sdv_file *file, uint64_t lookups);

/**
 * sdv_file_take - attributes came with an answer to a call of @stamp
 *
 * Return: true: they are as new as anything that is known here.
 */
bool sdv_file_take(struct sdv_mount *mount, struct sdv_file *file, const struct sdv_fs_attr *attr,
		   uint64_t stamp);
/* From now on, what was asked before is too old.  Returns the stamp for a call that changes it. */
uint64_t sdv_file_fence(struct sdv_mount *mount, struct sdv_file *file);

struct sdv_name *sdv_name_find(const struct sdv_file *dir, const char *name);
/* What is known of a name from now on; NULL: nothing is, for want of memory. */
struct sdv_name *sdv_name_set(struct sdv_mount *mount, struct sdv_file *dir, const char *name,
			      enum sdv_name_state state, struct sdv_file *file);
void sdv_name_drop(struct sdv_mount *mount, struct sdv_file *dir, struct sdv_name *name);
/* Names in @dir are changed from here: answers to what was asked before are too old. */
void sdv_names_fence(struct sdv_mount *mount, struct sdv_file *dir);
/* Forgets all names in @dir, which the caller holds, and has the kernel forget them. */
void sdv_names_forget(struct sdv_mount *mount, struct sdv_file *dir);
void sdv_names_each(struct sdv_file *dir, void (*run)(struct sdv_name *name, void *arg), void *arg);
/* Drops names that the kernel does not know either, where there are too many. */
void sdv_names_trim(struct sdv_mount *mount);
/* INVAL. */
void sdv_file_inval(struct sdv_mount *mount, const struct sdv_fs_request *inval);
/* Home does not know the file any more (-ESTALE): neither may anybody here. */
void sdv_file_stale(struct sdv_mount *mount, struct sdv_file *file);

/* mount_name.c: what the kernel asks of names; each answers @req --------- */

void sdv_on_lookup(struct sdv_mount *mount, struct fuse_req *req, struct sdv_file *dir, const char *name);
void sdv_on_readlink(struct sdv_mount *mount, struct fuse_req *req, struct sdv_file *file);
/* Answers by sdv_answer_list(); @offset 0 reads the directory anew. */
void sdv_on_readdir(struct sdv_mount *mount, struct fuse_req *req, struct sdv_open *open, size_t size,
		    uint64_t offset);

/* A call about @name in @dir; answers @req where there is none to be had. */
struct sdv_call *sdv_name_call(struct sdv_mount *mount, struct fuse_req *req, struct sdv_file *file,
			       struct sdv_file *dir, const char *name);
/* SUPERDEV_FS_NAME_MAX + 1 bytes; false: it is no name. */
bool sdv_name_copy(char *to, const char *name);

/**
 * sdv_entry_learn - the entry that home answered with becomes call->file
 * @is_own:	the name was changed by this call, so only what home told since is newer
 *
 * Return: 0; -EIO: it can't be; -ENOMEM.
 */
int sdv_entry_learn(struct sdv_mount *mount, struct sdv_call *call, const uint8_t *data, bool is_own);

/* Gives the kernel call->file as call->name, with attributes; frees the call. */
void sdv_entry_answer(struct sdv_mount *mount, struct sdv_call *call);

/* mount_change.c: changes of names; each answers @req -------------------- */

void sdv_on_create(struct sdv_mount *mount, struct fuse_req *req, struct sdv_file *dir, const char *name,
		   uint32_t mode, uint32_t mask, int flags);
/* MKDIR, MKNOD; SYMLINK with @target. */
void sdv_on_make(struct sdv_mount *mount, struct fuse_req *req, uint8_t op, struct sdv_file *dir,
		 const char *name, uint32_t mode, uint32_t mask, const char *target);
void sdv_on_link(struct sdv_mount *mount, struct fuse_req *req, struct sdv_file *file, struct sdv_file *dir,
		 const char *name);
void sdv_on_unlink(struct sdv_mount *mount, struct fuse_req *req, uint8_t op, struct sdv_file *dir,
		   const char *name);
void sdv_on_rename(struct sdv_mount *mount, struct fuse_req *req, struct sdv_file *dir, const char *name,
		   struct sdv_file *dir2, const char *name2, unsigned int flags);

/* mount_attr.c ------------------------------------------------------------ */

void sdv_on_getattr(struct sdv_mount *mount, struct fuse_req *req, struct sdv_file *file);
void sdv_on_setattr(struct sdv_mount *mount, struct fuse_req *req, struct sdv_file *file,
		    const struct sdv_fs_setattr *set);
void sdv_on_access(struct sdv_mount *mount, struct fuse_req *req, struct sdv_file *file, int mask);
void sdv_on_statfs(struct sdv_mount *mount, struct fuse_req *req, struct sdv_file *file);
void sdv_on_getxattr(struct sdv_mount *mount, struct fuse_req *req, struct sdv_file *file, const char *name,
		     size_t size);
void sdv_on_listxattr(struct sdv_mount *mount, struct fuse_req *req, struct sdv_file *file, size_t size);
void sdv_on_setxattr(struct sdv_mount *mount, struct fuse_req *req, struct sdv_file *file, const char *name,
		     const void *value, size_t size, int flags);
void sdv_on_removexattr(struct sdv_mount *mount, struct fuse_req *req, struct sdv_file *file,
			const char *name);
/* It has a flock of its file, or no longer. */
void sdv_open_flocked(struct sdv_open *open, bool has_flock);
void sdv_on_lock(struct sdv_mount *mount, struct fuse_req *req, struct sdv_file *file, struct sdv_open *open,
		 const struct sdv_fs_lock *lock);

/*
 * Calls @call->go_on when the attributes of @call->file are there and count what
 * was written here; asks home where they are not known.  The call is free to be
 * used again then, and has to be freed.
 */
void sdv_attr_fetch(struct sdv_mount *mount, struct sdv_call *call);

/* mount_data.c ------------------------------------------------------------ */

void sdv_on_open(struct sdv_mount *mount, struct fuse_req *req, struct sdv_file *file, int flags);
void sdv_on_opendir(struct sdv_mount *mount, struct fuse_req *req, struct sdv_file *dir, int flags);
void sdv_on_read(struct sdv_mount *mount, struct fuse_req *req, struct sdv_file *file, size_t size,
		 uint64_t offset);
void sdv_on_flush(struct sdv_mount *mount, struct fuse_req *req, struct sdv_open *open, uint64_t owner);
/* @has_flock: it may hold locks of flock(2), as @owner. */
void sdv_on_release(struct sdv_mount *mount, struct fuse_req *req, struct sdv_open *open, uint64_t owner,
		    bool has_flock);
void sdv_on_fsync(struct sdv_mount *mount, struct fuse_req *req, struct sdv_open *open, bool is_data);
void sdv_on_fallocate(struct sdv_mount *mount, struct fuse_req *req, struct sdv_file *file, int mode,
		      uint64_t offset, uint64_t len);
void sdv_on_lseek(struct sdv_mount *mount, struct fuse_req *req, struct sdv_file *file, uint64_t offset,
		  int whence);
void sdv_on_copy(struct sdv_mount *mount, struct fuse_req *req, struct sdv_file *from, uint64_t from_offset,
		 struct sdv_file *to, uint64_t to_offset, size_t size);

struct sdv_open *sdv_open_new(struct sdv_file *file, int flags, bool is_at_home);
void sdv_open_free(struct sdv_mount *mount, struct sdv_open *open);
/* Tells home that it is closed, when all that was written is there; frees it. */
void sdv_open_close(struct sdv_mount *mount, struct sdv_open *open);

/* mount_bytes.c ----------------------------------------------------------- */

void sdv_bytes_drop(struct sdv_mount *mount, struct sdv_file *file);
/* @file is empty, and what is written to it will be kept. */
void sdv_bytes_begin(struct sdv_mount *mount, struct sdv_file *file);
/* It was written: changes what is kept of it. */
void sdv_bytes_write(struct sdv_mount *mount, struct sdv_file *file, const uint8_t *data, size_t len,
		     uint64_t offset);
/* It was read, and has not been asked for. */
void sdv_bytes_keep(struct sdv_mount *mount, struct sdv_file *file, const uint8_t *data, uint32_t len,
		    uint64_t offset);
/* True: what the kernel asks for is kept here. */
bool sdv_bytes_find(const struct sdv_file *file, uint64_t offset, size_t size, const uint8_t **ret_data,
		    size_t *ret_len);

/* mount_write.c ----------------------------------------------------------- */

void sdv_on_write(struct sdv_mount *mount, struct fuse_req *req, struct sdv_open *open, const uint8_t *data,
		  size_t size, uint64_t offset);
/* Runs @run when home has confirmed all that was written; at once where it has. */
void sdv_when_clean(struct sdv_mount *mount, struct sdv_file *file,
		    void (*run)(struct sdv_mount *mount, void *arg), void *arg);

/* mount_fuse.c: answers, under the lock; each ends @req ------------------- */

void sdv_answer_error(struct fuse_req *req, int error);
/* @file NULL: there is none of that name.  Counts as a lookup of @file. */
void sdv_answer_entry(struct fuse_req *req, struct sdv_file *file, const struct sdv_fs_attr *attr,
		      bool keep_name, bool keep_attr);
void sdv_answer_create(struct fuse_req *req, struct sdv_file *file, const struct sdv_fs_attr *attr,
		       bool keep_name, bool keep_attr, struct sdv_open *open);
void sdv_answer_attr(struct fuse_req *req, const struct sdv_fs_attr *attr, bool is_kept);
void sdv_answer_open(struct fuse_req *req, struct sdv_open *open, bool is_kept);
void sdv_answer_data(struct fuse_req *req, const void *data, size_t len);
void sdv_answer_link(struct fuse_req *req, const char *target);
void sdv_answer_count(struct fuse_req *req, size_t count); /* of bytes written */
void sdv_answer_xattr_size(struct fuse_req *req, size_t size);
void sdv_answer_offset(struct fuse_req *req, uint64_t offset);
void sdv_answer_statfs(struct fuse_req *req, const struct sdv_fs_statfs *fs);
void sdv_answer_lock(struct fuse_req *req, const struct sdv_fs_lock *lock);
void sdv_answer_list(struct fuse_req *req, const struct sdv_open *open, size_t size, uint64_t offset);
/* Has interrupting @req give back the waiting lock @tag. */
void sdv_answer_interruptible(struct fuse_req *req, uint32_t tag);

/* Without the lock: they may wait for an answer that another thread gives. */
void sdv_kernel_forget_name(struct sdv_mount *mount, uint64_t dir_id, const char *name);
void sdv_kernel_forget_file(struct sdv_mount *mount, uint64_t id, bool has_data);

/* Takes the mounted descriptor, and serves it with some threads; 0 or -errno. */
int sdv_fuse_open(struct sdv_mount *mount, int fd);
int sdv_fuse_run(struct sdv_mount *mount);
/* The kernel's number of a file. */
uint64_t sdv_fuse_id(const struct sdv_mount *mount, const struct sdv_file *file);

/* mount_control.c --------------------------------------------------------- */

/* Serves who may ask, until nobody is left; a thread of its own. */
void sdv_control_run(struct sdv_mount *mount);
/* It is mounted, and home has told its root. */
void sdv_control_ready(struct sdv_mount *mount);
/* What @channel has asked by sdv_call_sync() is so, or never will be. */
void sdv_control_answer(struct sdv_mount *mount, struct sdv_channel *channel, bool is_synced);

/* mount.c ----------------------------------------------------------------- */

/**
 * struct sdv_mount_params - what is mounted where
 * @fd:		the connection
 * @control_fd:	told "ready"; then each "sync" is answered by "synced" when all
 *		that changed at home before has arrived; -1 for none
 * @dir:	where; in namespaces of its own, where this process may not mount
 * @first_id:	mounts as root, shows home's user 0 as this one and so on, and gives
 *		up all privileges; 0: as above
 */
struct sdv_mount_params {
	int fd;
	int control_fd;
	const char *dir;
	uint32_t first_id;
};

/* Until the connection ends or the file system is unmounted; as sdv_serve_run(). */
int sdv_mount_run(const struct sdv_mount_params *params, const char **ret_what);

#endif
