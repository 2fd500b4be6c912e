/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two partitions on fake hosts: a server with a PE, and a client; a virtual
 * device joins them. The PE's adapter has one device, and its drain does what
 * the test says. The bit bucket has a host of its own.
 */
#ifndef UNIT_PAPR_FIXTURE_H
#define UNIT_PAPR_FIXTURE_H

#include "test.h"
#include <viaduct/viaduct.h>

#define SERVER	      1u
#define CLIENT	      2u
#define BUCKET	      0u /* no partition, but it has a host and a domain */
#define STRANGER      3u /* no partition */
#define PF_PAGES      64u
#define PF_GPA	      0x100000u
#define PAGE	      VD_PAGE_SIZE
#define PE_LIOBN      0x80000000u
#define PE_BUID	      0x800000020000000u
#define PE_OWNER      1u
#define PE_ENTRIES    1024u	  /* of the default window */
#define SECOND	      0x81000000u /* what is split off the default window */
#define PE_DEVICE     5u
#define HIGH	      0x800000000000000u /* of the second window */
#define SERVER_LIOBN  0x10000000u	 /* of virtual devices */
#define CLIENT_LIOBN  0x20000000u
#define PARTNER_LIOBN 0x30000000u /* the server's name for the client's */
#define SERVER_UNIT   0x30u
#define CLIENT_UNIT   0x31u
#define VIO_ENTRIES   128u
#define PAIR_LIOBN    0x11000000u /* of a second pair of virtual devices */
#define PAIR_CLIENT   0x21000000u
#define PAIR_PARTNER  0x31000000u
#define PAIR_UNIT     0x40u
#define GRANT_LIOBN   0xf0000000u
#define RW	      3u

struct pf {
	struct vd_host *host[3]; /* by partition */
	struct vd_domain *d[3];
	unsigned char *mem[3];
	const struct vd_adapter_ops *ops; /* of adapters that a test makes */
	struct vd_adapter *a;
	struct vd_reader *r;
	struct vd_papr *p;
	int drain_says;
	unsigned int ndrains, ntold;
	uint32_t told, told_unit;
	struct vd_papr_hcall h; /* the last call */
};

int pf_setup(void **state);
int pf_teardown(void **state);

/* Without a PE and virtual devices; @cfg may be NULL. */
void pf_make(struct pf *f, const struct vd_papr_cfg *cfg);
/* And without a bit bucket. */
void pf_make_leaky(struct pf *f);
void pf_furnish(struct pf *f);
void pf_unmake(struct pf *f);

struct vd_papr_pe pf_pe(struct pf *f);
struct vd_papr_vio pf_vio(uint32_t partition);

/* Join the server to @client, or to itself, by another pair, connected. */
void pf_add_pair(struct pf *f, uint32_t client, uint64_t npages);

/* What an administrator does: entries of a window from @keep on become another. */
void pf_split(struct pf *f, uint32_t id, uint64_t keep, uint32_t newid, uint32_t owner);

/* The status of a call with up to 6 arguments. */
#define pf_call(f, who, token, ...) pf_hcall(f, who, token, (uint64_t[9]){ __VA_ARGS__ })
int64_t pf_hcall(struct pf *f, uint32_t who, uint64_t token, const uint64_t *arg);

/* The status of an RTAS call; @out may be NULL. */
int32_t pf_ddw(struct pf *f, enum vd_papr_ddw call, const uint32_t *in, uint32_t *out);

/* A TCE of page @i of a partition's memory. */
static inline uint64_t pf_tce(uint64_t page, uint64_t prot)
{
	return (PF_GPA + page * PAGE) | prot;
}

/* Which page the PE's device reaches by @bus; negative: an error. */
int64_t pf_page(struct pf *f, uint64_t bus, unsigned int prot, uint32_t *owner);

/* Whose memory is it? */
bool pf_is_of(struct pf *f, uint32_t partition, uint64_t bus);

/* Does it lead to the bit bucket, as nothing but that does? */
bool pf_is_bucket(struct pf *f, uint64_t bus);

size_t pf_pinned(struct pf *f, uint32_t partition);

/* Write a list to the first page of a partition's memory. */
void pf_list(struct pf *f, uint32_t partition, const uint64_t *v, size_t n);

#define pf_test(t) cmocka_unit_test_setup_teardown(t, pf_setup, pf_teardown)

#endif
