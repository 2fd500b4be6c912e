/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A real adapter for a test: QEMU's NVMe controller, in a process of its own,
 * two providers and a client of the second, and a window of the first.
 *
 * All memory is laid out alike: page n of the window leads to page n of its
 * owner's memory. Pages that nobody may reach hold canaries.
 */
#ifndef REMOTE_RIG_H
#define REMOTE_RIG_H

#include "test.h"

#include <shared.h>
#include <stdatomic.h>
#include <sys/types.h>

#define PAGE   ((size_t)4096)
#define NPAGES 256u
#define HALF   (NPAGES / 2)
#define BUS    0x10000000u
#define LEN    (NPAGES * PAGE)
#define DISK   (16u << 20)
#define BLOCK  512u
#define SPAN   8u  /* most pages of one transfer */
#define LENT   32u /* pages of a loan */
#define CANARY 0xc7
#define WINDOW 10u
#define PART   11u
#define LOAN   12u

enum { ONE = 1, TWO = 2, CLIENT = 3 };

struct told {
	uint32_t owner;
	struct vd_window_info w;
};

struct rig {
	char disk[64];
	int disk_fd;
	pid_t qemu;
	struct shared *s;
	struct vd_adapter *a;
	atomic_uint ntold;
	struct told told[64];
};

/* A transfer of @n pages from page @page, its list in page @list. */
struct transfer {
	uint32_t provider;
	enum nvme_opcode opcode;
	uint64_t offset; /* on the disk */
	unsigned int page, n, list;
};

/* Of each test: a device of its own, two providers, a client, one window. */
int set_up(void **state);
int tear_down(void **state);
/* Skips the test where there is no QEMU. */
struct rig *rig(void **state);
/* Page @page of the window to the same page of memory. */
struct vd_window_range range(uint32_t owner, uint32_t window, unsigned int page, unsigned int n,
			     unsigned int prot);
int map(struct rig *g, uint32_t owner, uint32_t window, unsigned int page, unsigned int n);
int unmap(struct rig *g, uint32_t owner, uint32_t window, unsigned int page, unsigned int n);
/* Several at once, of one provider. */
int transfer_all(struct rig *g, const struct transfer *t, unsigned int n, struct shared_result *r);
int transfer(struct rig *g, const struct transfer *t, struct shared_result *r);
void stamp(unsigned char *p, size_t len, uint64_t seed);
/* In the file behind the disk. */
bool on_disk(struct rig *g, uint64_t offset, const unsigned char *p, size_t len);
void put_on_disk(struct rig *g, uint64_t offset, uint64_t seed, size_t len);
bool is_canary(const unsigned char *p, size_t len);
unsigned char *page_of(struct rig *g, uint32_t owner, unsigned int page);
void forget_faults(struct rig *g);
/* The device reaches what the engine translates, no more and no less. */
void audit(struct rig *g);
/* The oldest in the ring. */
void expect_fault(struct rig *g, uint32_t device, unsigned int page, unsigned int prot,
		  enum vd_fault_reason reason);
/* One page into @page, by @provider: did it land in @owner's memory? */
bool lands(struct rig *g, uint32_t provider, uint32_t owner, unsigned int page,
	   struct shared_result *r);

#define rigged(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

#endif
