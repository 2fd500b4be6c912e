/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The fake host: pins that only count, addresses that are invented, failures
 * on request. For tests of the engine and of programs that embed it: needs no
 * right of any kind and no kernel feature.
 *
 * It serves one stretch of process memory. At first the page at byte n of it
 * has host address VD_FAKE_BASE + n. Not for threads that change it while a
 * domain uses it; pinning itself may come from any thread.
 */
#ifndef VIADUCT_FAKE_H
#define VIADUCT_FAKE_H

#include <viaduct/host.h>

#ifdef __cplusplus
extern "C" {
#endif

#define VD_FAKE_BASE ((uint64_t)1 << 32)

/**
 * vd_host_fake_create() - a host for @npages pages from @base
 * @base: page aligned; borrowed; never looked into, so it need not exist
 *
 * Return: 0, -EINVAL, -ENOMEM
 */
int vd_host_fake_create(void *base, size_t npages, struct vd_host **out);

/**
 * vd_fake_fail() - let the @nth pin call from now on fail with @err
 * @nth: 1 is the next; 0: none
 * @err: negative errno
 */
void vd_fake_fail(struct vd_host *h, unsigned int nth, int err);

/**
 * vd_fake_place() - say where page @index is, from the next pin on
 *
 * An honest host never moves a pinned page; this one does what it is told.
 */
void vd_fake_place(struct vd_host *h, size_t index, vd_hpa hpa);

/** vd_fake_pins() - how many pins page @index has */
uint64_t vd_fake_pins(const struct vd_host *h, size_t index);

/** vd_fake_pinned() - how many pages have at least one pin */
size_t vd_fake_pinned(const struct vd_host *h);

/** vd_fake_calls() - how many pin calls and unpin calls there were */
uint64_t vd_fake_calls(const struct vd_host *h);

#ifdef __cplusplus
}
#endif
#endif
