/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tables and DMA windows: which entries a register points at, who owns them.
 *
 * A table is an array of entries; entry i of a window translates the i-th page
 * after the window's bus address. Splitting a window shortens its register and
 * points a second one at the entries that were freed; merging is the inverse.
 * Both change registers only: no entry is read, moved or written, whatever the
 * length. A loan is a part of a window that another owner fills for a while;
 * its lender's devices reach it.
 *
 * Changes end in this order: the range translates no more and no reader uses
 * it; the adapter's drain callback has returned; pins drop; the new owner's
 * devices see it; both sides are told.
 */
#ifndef VIADUCT_WINDOW_H
#define VIADUCT_WINDOW_H

#include <viaduct/adapter.h>
#include <viaduct/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define VD_IO_SHIFT_MIN 12u
#define VD_IO_SHIFT_MAX 34u
#define VD_PUT_MAX	1024u /* entries that one list call can write */

struct vd_table;

/* How entries stand in memory. */
enum vd_format {
	VD_FORMAT_NATIVE, /* a vd_entry as it is */
	VD_FORMAT_TCE,	  /* PAPR, Calgary: big-endian, bit 0 read, 1 write */
	VD_FORMAT_IOTSB,  /* sun4v: valid bit 63, write bit 1 */
	VD_FORMATS,
};

/**
 * struct vd_table_cfg - a table
 * @size:       sizeof(struct vd_table_cfg)
 * @format:     of its entries
 * @page_shift: log2 of the bytes that an entry stands for, 12 to 34
 * @nentries:   1 to 2^(64 - @page_shift)
 * @at:         where a register says that the table begins: only shown
 * @max_bytes:  that it may take; 0: what all tables of the adapter may together
 *
 * A short table is one array, 8 bytes an entry. A long one is made of pages
 * that come with their first entry and go with their last, so it costs what is
 * mapped, not what it spans.
 */
struct vd_table_cfg {
	size_t size;
	enum vd_format format;
	unsigned int page_shift;
	uint64_t nentries;
	uint64_t at;
	uint64_t max_bytes;
};

/**
 * vd_table_create() - make a table without valid entries
 * @out: owned by the adapter until vd_table_destroy(); not written on error
 *
 * Return: 0, -EINVAL (@cfg), -EDQUOT (over its or the adapter's max_bytes),
 * -ENOMEM
 */
int vd_table_create(struct vd_adapter *a, const struct vd_table_cfg *cfg,
		    struct vd_table **out);

/** vd_table_destroy() - Return: 0, -EBUSY (a window points into it) */
int vd_table_destroy(struct vd_adapter *a, struct vd_table *t);

struct vd_table_stats {
	size_t size;
	unsigned int levels; /* 1: one array */
	uint64_t nentries, nlive;
	uint64_t bytes; /* that it takes now */
};

void vd_table_stats(struct vd_adapter *a, const struct vd_table *t,
		    struct vd_table_stats *out);

/**
 * struct vd_window_cfg - a window
 * @size:  sizeof(struct vd_window_cfg)
 * @id:    its handle (PAPR: LIOBN)
 * @owner: who fills it
 * @page_shift: of the table, where there is no @table; 0 means 12
 * @bus:   first bus address, a multiple of the table's page
 * @table: borrowed. NULL: a table of its own, of native format and @len entries;
 *         it goes with the last window that points into it
 * @first: first entry; 0 where there is no @table
 * @len:   entries, not 0
 */
struct vd_window_cfg {
	size_t size;
	uint32_t id, owner;
	unsigned int page_shift;
	vd_iova bus;
	struct vd_table *table;
	uint64_t first, len;
};

/**
 * vd_window_create() - point a free register at free entries of a table
 *
 * Return: 0, or
 *  -EINVAL     @cfg; bus address misaligned; not as powers of two, where the
 *              adapter wants these
 *  -EOVERFLOW  the window goes beyond the last bus address
 *  -ERANGE     beyond the end of the table
 *  -ENOENT     no such owner
 *  -EEXIST     the id is taken; or the entries, or the bus addresses for the
 *              same provider
 *  -ENOSPC     no free register
 *  -EDQUOT     its own table would take more than the adapter's max_bytes
 *  -ENOMEM
 */
int vd_window_create(struct vd_adapter *a, const struct vd_window_cfg *cfg);

/* What happens to valid entries in a part that changes hands. */
enum vd_live {
	VD_LIVE_REFUSE,	  /* -EBUSY if there are any */
	VD_LIVE_REVOKE,	  /* they become invalid and their pins drop */
	VD_LIVE_TRANSFER, /* they stay, bit for bit; -EXDEV unless the new owner
			   * has the old one's memory (struct vd_owner_cfg) */
};

/**
 * vd_window_destroy() - clear a register
 * @live: VD_LIVE_REFUSE or VD_LIVE_REVOKE
 *
 * A loan is taken back, not destroyed.
 *
 * Return: 0, -EINVAL (@live), -ENOENT, -EBUSY (valid entries; parts are lent,
 * or it is a loan), -EIO (not drained: all is as it was)
 */
int vd_window_destroy(struct vd_adapter *a, uint32_t id, enum vd_live live);

/**
 * struct vd_window_info - what a register says, and about it
 * @size:   sizeof(struct vd_window_info)
 * @slot:   which register
 * @table:  base of its first entry: the table's @at + 8 * @first
 * @len:    in entries, its loans included
 * @lender: the id of the window that it is lent from; equal to @id if it is no
 *          loan
 * @via:    the provider whose devices reach it
 * @rights: what entries may allow
 * @lent:   entries that are lent to others
 */
struct vd_window_info {
	size_t size;
	uint32_t id, owner, slot, lender, via;
	enum vd_format format;
	unsigned int page_shift, rights;
	vd_iova bus;
	uint64_t table, first, len, lent;
};

/** vd_window_query() - look up by handle. Return: 0, -ENOENT */
int vd_window_query(struct vd_adapter *a, uint32_t id,
		    struct vd_window_info *out);

/**
 * vd_window_show() - read one register
 *
 * Return: 0, -EINVAL (no such register), -ENOENT (it is disabled)
 */
int vd_window_show(struct vd_adapter *a, uint32_t slot,
		   struct vd_window_info *out);

/** vd_window_nlive() - valid entries, loans included. Return: 0, -ENOENT */
int vd_window_nlive(struct vd_adapter *a, uint32_t id, uint64_t *nlive);

/**
 * struct vd_split - how to split
 * @size:  sizeof(struct vd_split)
 * @id:    window to split; it keeps its base and its first @keep entries
 * @keep:  more than 0, less than the window's length
 * @newid: handle of the new window, which gets the other entries and keeps
 *         their bus addresses
 * @owner: of the new window
 * @live:  what becomes of valid entries from @keep on
 */
struct vd_split {
	size_t size;
	uint32_t id, newid, owner;
	enum vd_live live;
	uint64_t keep;
};

/**
 * vd_window_split() - free the last entries and point a second register at them
 *
 * Return: 0, or
 *  -ENOENT  no such window or owner
 *  -EINVAL  @keep; not as powers of two, where the adapter wants these; @live
 *  -EBUSY   it is a loan; a part from @keep on is lent; valid entries from
 *           @keep on and VD_LIVE_REFUSE
 *  -EEXIST  @newid is taken, or the new owner has something at these bus
 *           addresses
 *  -ENOSPC  no free register
 *  -EXDEV   VD_LIVE_TRANSFER and the new owner has not that memory
 *  -EIO     not drained
 *  -ENOMEM
 */
int vd_window_split(struct vd_adapter *a, const struct vd_split *s);

/**
 * struct vd_merge - how to merge
 * @size:  sizeof(struct vd_merge)
 * @keep:  window whose register and handle stay
 * @clear: window whose register is cleared; ends where @keep begins or begins
 *         where it ends, in the table and on the bus
 * @owner: of the merged window; anybody
 * @live:  what becomes of valid entries of a part whose owner changes
 */
struct vd_merge {
	size_t size;
	uint32_t keep, clear, owner;
	enum vd_live live;
};

/**
 * vd_window_merge() - the inverse of vd_window_split()
 *
 * Return: 0, or
 *  -ENOENT  no such window or owner
 *  -EINVAL  not neighbours in one table and on the bus; not as powers of two,
 *           where the adapter wants these; @live
 *  -EBUSY   one is a loan; part of one is lent; valid entries and VD_LIVE_REFUSE
 *  -EEXIST  the owner has something at these bus addresses
 *  -EXDEV   VD_LIVE_TRANSFER and the new owner has not that memory
 *  -EIO     not drained
 */
int vd_window_merge(struct vd_adapter *a, const struct vd_merge *m);

/**
 * struct vd_loan - what to lend
 * @size:   sizeof(struct vd_loan)
 * @id:     the lender's window, or a loan, to lend on
 * @newid:  handle of the loan
 * @owner:  who fills it from now on
 * @first:  first entry, counted from the window's
 * @len:    entries, not 0
 * @rights: what its entries may allow: VD_READ, VD_WRITE or both
 * @live:   what becomes of valid entries of the part
 */
struct vd_loan {
	size_t size;
	uint32_t id, newid, owner;
	unsigned int rights;
	enum vd_live live;
	uint64_t first, len;
};

/**
 * vd_window_lend() - let another owner fill a part of a window
 *
 * The loan takes a register. The lender cannot write the part until it is taken
 * back; its devices reach what the borrower puts there.
 *
 * Return: 0, or
 *  -ENOENT  no such window or owner
 *  -EINVAL  the part is empty; not as powers of two, where the adapter wants
 *           these; @rights are none or more than the lender's; @live
 *  -ERANGE  the part goes beyond the window
 *  -EEXIST  @newid is taken, or part of it is lent already
 *  -EBUSY   valid entries and VD_LIVE_REFUSE
 *  -ENOSPC  no free register
 *  -EXDEV   VD_LIVE_TRANSFER and the new owner has not that memory
 *  -EIO     not drained
 */
int vd_window_lend(struct vd_adapter *a, const struct vd_loan *l);

/**
 * vd_window_take_back() - end a loan
 *
 * Return: 0, -ENOENT (no such loan), -EBUSY (valid entries and
 * VD_LIVE_REFUSE; parts of it are lent on), -EXDEV, -EINVAL (@live), -EIO
 */
int vd_window_take_back(struct vd_adapter *a, uint32_t id, enum vd_live live);

/*
 * An entry: the guest address of a page of the owner, with VD_READ and VD_WRITE
 * in the lowest bits; all other bits below the page shift are 0. Without rights
 * it is invalid, and what is kept of it is 0.
 */
typedef struct {
	uint64_t v;
} vd_entry;

#define VD_PUT_FRESH 1u /* -EEXIST if one of the entries is valid */

/**
 * struct vd_put - entries to write
 * @size:   sizeof(struct vd_put)
 * @owner:  who asks
 * @window: handle
 * @bus:    bus address of the first, a multiple of the window's page
 * @n:      how many
 * @entry:  what to write
 * @flags:  VD_PUT_*
 * @pinned: out, of success: by how many bytes this changed what the owner's
 *          domain has pinned; 0 without a domain
 */
struct vd_put {
	size_t size;
	uint32_t owner, window;
	vd_iova bus;
	size_t n;
	const vd_entry *entry;
	unsigned int flags;
	int64_t pinned;
};

/**
 * vd_window_put() - write @n entries from a list, all or none
 * vd_window_fill() - write one entry @n times
 *
 * The list must be the library's alone while this runs: copy what a guest can
 * change. All new pages are held before one entry changes. What was valid
 * before has lost its last user, readers included, when its pin drops, before
 * this returns.
 *
 * Locking: takes the entry lock. Must not be called between vd_reader_enter()
 * and vd_reader_exit() of the same thread.
 *
 * Return: 0, or
 *  -ENOENT  no such window
 *  -EPERM   it is somebody else's, or the part is lent
 *  -EBUSY   the part is changing hands just now
 *  -EINVAL  @bus is misaligned; @n is 0 or above VD_PUT_MAX (a fill with an
 *           invalid entry has no limit); an entry has other bits
 *  -ERANGE  beyond the window's end or before its begin
 *  -EACCES  an entry allows more than the window may
 *  -EEXIST  with VD_PUT_FRESH: one is valid already
 *  -EFAULT  a page is not the owner's memory
 *  -EDQUOT  over the domain's budget, or over the adapter's max_bytes
 *  -ENOMEM, -ENOSPC and others: what the host or the owner's hold says
 */
int vd_window_put(struct vd_adapter *a, struct vd_put *p);
int vd_window_fill(struct vd_adapter *a, struct vd_put *p);

/**
 * struct vd_window_range - a run of guest memory and where it goes
 * @size: sizeof(struct vd_window_range)
 * @gpa: first guest address, @len: bytes; multiples of the window's page
 */
struct vd_window_range {
	size_t size;
	uint32_t owner, window;
	unsigned int prot;
	vd_iova bus;
	vd_gpa gpa;
	uint64_t len;
};

/**
 * vd_window_map() - map a run of guest memory, of any length
 *
 * Return: as vd_window_put() with VD_PUT_FRESH, without a limit; -EINVAL also
 * for @prot
 */
int vd_window_map(struct vd_adapter *a, const struct vd_window_range *r);

/** vd_window_unmap() - make entries invalid. Return: as vd_window_fill() */
int vd_window_unmap(struct vd_adapter *a, uint32_t owner, uint32_t window,
		    vd_iova bus, uint64_t len);

/**
 * vd_window_get() - read entries back
 * @out: @n entries, not written on error
 *
 * Return: 0, -ENOENT, -EPERM, -EBUSY, -EINVAL, -ERANGE as vd_window_put()
 */
int vd_window_get(struct vd_adapter *a, uint32_t owner, uint32_t window,
		  vd_iova bus, vd_entry *out, size_t n);

#ifdef __cplusplus
}
#endif
#endif
