/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Spaces: who gets which bus addresses.
 *
 * A space is a range of bus addresses in pages, given out in runs. It knows
 * nothing of what the addresses lead to: fill a window, a table of your own or
 * a device's registers with them. Who uses one: a guest's DMA layer in a model
 * or a back end, a VMM that chooses bus addresses, a control domain that shares
 * one range among many.
 *
 * Each thread allocates through a cache of its own. It holds freed runs of up
 * to VD_SPACE_SHORT pages, in magazines by length, so a map and unmap in a row
 * touch nothing that another thread touches. What lies in the caches is not
 * lost: it is taken back before an allocation is refused.
 *
 * A free says exactly what was allocated, address and length. Anything else is
 * refused and changes nothing, also twice the same, also from two threads at
 * once; so a guest may ask for it. *Whose* a run is, the caller knows.
 *
 * An address may be given out again as soon as its free was called: first make
 * its translation invalid, then free it.
 *
 * Addresses are reused last in, first out, by the thread that freed them;
 * otherwise the lowest free address comes first, so that tables stay dense.
 *
 * Threads: all functions may be called at any time, with one cache by one
 * thread at a time. Destroy a space after its caches.
 */
#ifndef VIADUCT_SPACE_H
#define VIADUCT_SPACE_H

#include <viaduct/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define VD_SPACE_MAX_PAGES ((uint64_t)1 << 31)
#define VD_SPACE_SHORT	   32u /* pages of a run that caches hold, at most */

struct vd_space;
struct vd_space_cache;

/**
 * struct vd_space_cfg - a range of bus addresses
 * @size:       sizeof(struct vd_space_cfg)
 * @base:       first bus address, a multiple of the page
 * @npages:     1 to VD_SPACE_MAX_PAGES
 * @page_shift: log2 of the bytes of a page, 12 to 34
 */
struct vd_space_cfg {
	size_t size;
	unsigned int page_shift;
	vd_iova base;
	uint64_t npages;
};

/**
 * vd_space_create() - make a space in which all is free
 * @out: owned by the caller until vd_space_destroy(); not written on error
 *
 * It asks for less than 1.2 bytes of zeroed memory a page, but touches only what
 * belongs to pages that were given out once.
 *
 * Return: 0, -EINVAL (@cfg), -EOVERFLOW (beyond the last bus address), -ENOMEM
 */
int vd_space_create(const struct vd_space_cfg *cfg, struct vd_space **out);

/** vd_space_destroy() - its caches are gone; NULL is fine */
void vd_space_destroy(struct vd_space *s);

/**
 * vd_space_cache_create() - for one thread at a time
 * @s:   borrowed until vd_space_cache_destroy()
 * @out: owned by the caller; not written on error
 *
 * Return: 0, -ENOMEM
 */
int vd_space_cache_create(struct vd_space *s, struct vd_space_cache **out);

/**
 * vd_space_cache_destroy() - what it holds is free for others; NULL is fine
 *
 * Runs that were allocated through it stay so, and any other cache frees them.
 */
void vd_space_cache_destroy(struct vd_space_cache *c);

/**
 * vd_space_alloc() - a run of pages, anywhere
 * @npages: not 0. Up to VD_SPACE_SHORT it may take the next power of two; not
 *          where only its own length is free
 * @out:    its first bus address; not written on error
 *
 * Locking: the cache's own lock; if it has no such run, the space's as well.
 *
 * Return: 0, or
 *  -EINVAL  @npages is 0
 *  -ENOSPC  no run of @npages is free anywhere in the space or its caches. To
 *           know this it may have looked at each hole of a quarter of the length
 */
int vd_space_alloc(struct vd_space_cache *c, uint64_t npages, vd_iova *out);

/**
 * struct vd_space_need - what a device needs
 * @size:        sizeof(struct vd_space_need)
 * @npages:      not 0
 * @align_shift: the address is a multiple of 2^@align_shift bytes, at most 63.
 *               A run that is aligned to its length, rounded up to a power of
 *               two, crosses no boundary that is larger
 * @last:        the device reaches no higher: its mask
 */
struct vd_space_need {
	size_t size;
	uint64_t npages;
	unsigned int align_shift;
	vd_iova last;
};

/**
 * vd_space_alloc_within() - a run that a device can use
 *
 * Return: 0, or
 *  -EINVAL  @need->npages is 0, @need->align_shift is above 63
 *  -ENOSPC  no such run is free
 */
int vd_space_alloc_within(struct vd_space_cache *c,
			  const struct vd_space_need *need, vd_iova *out);

/**
 * vd_space_free() - give a run back, by any thread's cache
 * @iova, @npages: what was allocated
 *
 * Needs no memory. A refused one is counted.
 *
 * Return: 0, or
 *  -EINVAL  @iova is no multiple of the page, or the run has another length
 *  -ERANGE  @iova is outside the space
 *  -ENOENT  no run begins at @iova, or it is reserved
 */
int vd_space_free(struct vd_space_cache *c, vd_iova iova, uint64_t npages);

/**
 * vd_space_reserve() - take a run out of the space, at this address
 *
 * For what is in use already: an interrupt range, a window that firmware set up,
 * a device's own memory. vd_space_free() does not touch it.
 *
 * Return: 0, or
 *  -EINVAL  @npages is 0, or @iova is no multiple of the page
 *  -ERANGE  part of it is outside the space
 *  -EEXIST  part of it is given out or reserved
 */
int vd_space_reserve(struct vd_space *s, vd_iova iova, uint64_t npages);

/**
 * vd_space_unreserve() - put it back
 *
 * Return: 0, -EINVAL (misaligned, or reserved with another length), -ERANGE,
 * -ENOENT (no reserved run begins at @iova)
 */
int vd_space_unreserve(struct vd_space *s, vd_iova iova, uint64_t npages);

/**
 * struct vd_space_stats - at one moment, if no other thread allocates
 * @size:       sizeof(struct vd_space_stats)
 * @npages:     of the space; the sum of the next four
 * @given:      in runs that are given out, rounded up as they were
 * @reserved:   in reserved runs
 * @cached:     free, in caches or on the way between them
 * @free:       free, and in none
 * @longest:    of the runs of @free, the longest
 * @take_backs: how often all caches were emptied for an allocation
 * @refused:    allocations that ended with -ENOSPC
 * @bad_frees:  frees that were refused
 */
struct vd_space_stats {
	size_t size;
	uint64_t npages, given, reserved, cached, free, longest;
	uint64_t take_backs, refused, bad_frees;
};

/**
 * vd_space_stats() - look at all
 *
 * Takes the space's lock for as long as it looks for the longest run.
 */
void vd_space_stats(struct vd_space *s, struct vd_space_stats *out);

#ifdef __cplusplus
}
#endif
#endif
