/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An adapter with two providers (EX_P1, EX_P2), a client of the first (EX_C) and
 * a device for each provider. Each owner has a domain of its own on a fake
 * host, so what is pinned can be counted for each. One table of EX_LEN entries.
 */
#ifndef UNIT_ENGINE_FIXTURE_H
#define UNIT_ENGINE_FIXTURE_H

#include "test.h"
#include <viaduct/viaduct.h>

#define EX_PAGES 64u
#define EX_LEN	 1024u
#define EX_GPA	 0x100000u
#define EX_BUS	 0x80000000u
#define EX_TABLE 0x10000u
#define EX_P1	 1u
#define EX_P2	 2u
#define EX_C	 11u
#define EX_D1	 100u /* device of EX_P1 */
#define EX_D2	 200u
#define EX_W	 7u /* handle of the first window */
#define EX_TOLD	 64u
#define PAGE	 VD_PAGE_SIZE
#define RW	 (VD_READ | VD_WRITE)

/* An owner's memory. */
struct ex_mem {
	unsigned char *mem;
	struct vd_host *host;
	struct vd_domain *d;
};

struct ex_told {
	uint32_t owner;
	struct vd_window_info w;
};

struct ex {
	struct vd_adapter *a;
	struct vd_table *t;
	struct ex_mem p1, p2, c;
	struct vd_reader *r1, *r2;
	int drain_says;
	unsigned int ndrains;
	struct vd_drain drained; /* the last one */
	size_t pinned_at_drain;	 /* of EX_P1's domain */
	int found_at_drain;	 /* what EX_D1 met at the range's first address */
	size_t nforgot;		 /* calls of invalidate */
	struct vd_drain forgot;	 /* the last */
	size_t pinned_at_forget; /* of EX_P1's domain */
	struct ex_told told[EX_TOLD];
	size_t ntold;
};

void ex_make(struct ex *x, uint32_t flags, enum vd_format format);
void ex_unmake(struct ex *x);
int ex_setup(void **state);
int ex_teardown(void **state);

/* The first window: all of the table, of EX_P1. */
void ex_window(struct ex *x);

static inline vd_iova ex_bus(uint64_t page)
{
	return (vd_iova){ EX_BUS + page * PAGE };
}

static inline vd_entry ex_entry(uint64_t page, unsigned int prot)
{
	return (vd_entry){ (EX_GPA + page * PAGE) | prot };
}

/* Write one entry, @page of memory at entry @i of the window. */
int ex_put(struct ex *x, uint32_t owner, uint32_t window, uint64_t i, vd_entry e);
int ex_map(struct ex *x, uint32_t owner, uint32_t window, uint64_t i, uint64_t page);

/* One access in a burst of its own: the owner's page that it met, or an error. */
int ex_access(struct vd_reader *r, uint64_t bus, unsigned int prot, unsigned char **hva);

/* What a register says; must be there. */
struct vd_window_info ex_info(struct ex *x, uint32_t window);

/* All entries of the table as the words that they are in memory. */
void ex_entries(struct ex *x, uint64_t *out);

struct vd_fault ex_fault(struct ex *x);
size_t ex_pinned(const struct ex_mem *m);

/* X2: windows on the table do not overlap, and lengths and free make up all. */
void ex_check(struct ex *x);

#define ex_test(t) cmocka_unit_test_setup_teardown(t, ex_setup, ex_teardown)

#endif
