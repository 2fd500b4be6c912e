/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How a VMM plugs the translation engine in, with POWER's calls in front of it:
 * one guest, one PCI bridge, one device model.
 *
 * What belongs to the VMM: guest memory, the dispatch of hypervisor and RTAS
 * calls, devices. What the library does: tables, windows, checks, pins,
 * translation. Needs no rights: pages are counted, not pinned; on a real host
 * put vd_host_noiommu_create() in the fake one's place.
 *
 * Build it against an installed library:
 *	cc papr.c $(pkg-config --cflags --libs viaduct)
 */
#include <viaduct/viaduct.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define RAM_LEN ((size_t)64 << 20)
#define GUEST	1u
#define OWNER	1u /* the guest, as the adapter knows it */
#define DISK	0x800u
#define LIOBN	0x80000000u
#define BUID	0x800000020000000u

struct vmm {
	unsigned char *ram;
	struct vd_host *host;
	struct vd_domain *guest;
	struct vd_adapter *bridge;
	struct vd_papr *papr;
	struct vd_reader *disk; /* of the thread that runs the disk's model */
};

static void check(const char *what, int err)
{
	if (!err)
		return;
	fprintf(stderr, "%s: %s\n", what, strerror(-err));
	exit(1);
}

/*
 * A part of a window changes hands, or goes. A device model that copies inside
 * vd_reader_enter() and vd_reader_exit() has nothing in flight then; a device
 * that keeps addresses for longer is stopped here, and has an invalidate besides
 * for entries that the guest writes.
 */
static int drain(void *opaque, const struct vd_drain *what)
{
	(void)opaque;
	printf("drain %#" PRIx64 " to %#" PRIx64 "\n", what->bus.v,
	       what->last.v);
	return 0;
}

/* What a guest that asks its firmware for its windows would be told. */
static void changed(void *opaque, uint32_t owner,
		    const struct vd_window_info *w)
{
	(void)opaque;
	printf("owner %" PRIu32 ": window %#" PRIx32 ", %" PRIu64
	       " entries at %#" PRIx64 "\n",
	       owner, w->id, w->len, w->bus.v);
}

static void owner_failed(void *opaque, uint32_t partition, uint32_t unit)
{
	(void)opaque;
	printf("tell partition %" PRIu32 " by device %#" PRIx32 "\n", partition,
	       unit);
}

/* 1. Guest memory and who pins it: as in embed.c. */
static void make_guest(struct vmm *m)
{
	const struct vd_domain_cfg cfg = {
		.size = sizeof(cfg),
		.granule_shift = 12,
		.budget = 8 << 20, /* its I/O entitlement */
	};

	m->ram = mmap(NULL, RAM_LEN, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (m->ram == MAP_FAILED)
		exit(1);
	check("host",
	      vd_host_fake_create(m->ram, RAM_LEN / VD_PAGE_SIZE, &m->host));
	check("domain", vd_domain_create(m->host, &cfg, &m->guest));
	check("memory",
	      vd_domain_add_memory(m->guest, (vd_gpa){ 0 }, m->ram, RAM_LEN));
}

/* 2. An adapter for each bridge, with the guest as an owner of windows. */
static void make_bridge(struct vmm *m)
{
	static const struct vd_adapter_ops ops = { .size = sizeof(ops),
						   .drain = drain,
						   .changed = changed };
	const struct vd_adapter_cfg cfg = { .size = sizeof(cfg), .ops = &ops };
	const struct vd_owner_cfg guest = {
		.size = sizeof(guest),
		.id = OWNER,
		.provider = VD_NO_OWNER,
		.domain = m->guest,
	};

	check("adapter", vd_adapter_create(&cfg, &m->bridge));
	check("owner", vd_owner_add(m->bridge, &guest));
	check("device", vd_adapter_attach(m->bridge, DISK, OWNER));
	check("reader", vd_reader_create(m->bridge, DISK, &m->disk));
}

/* 3. The front end: what the device tree tells the guest is said here too. */
static void make_papr(struct vmm *m)
{
	static const struct vd_papr_ops ops = { sizeof(ops), owner_failed };
	const struct vd_papr_cfg cfg = {
		.size = sizeof(cfg),
		.grant_liobn = 0xf0000000,
		.ops = &ops,
	};
	const struct vd_papr_partition guest = {
		.size = sizeof(guest),
		.id = GUEST,
		.domain = m->guest,
	};
	const struct vd_papr_pe pe = {
		.size = sizeof(pe),
		.partition = GUEST,
		.buid = BUID,
		.config_addr = VD_PAPR_WHOLE_BRIDGE,
		.adapter = m->bridge,
		.owner = OWNER,
		.liobn = LIOBN,
		.len = 1 << 30, /* ibm,dma-window: 1 GiB at 0 */
		.max_windows = 2,
		.slot_shift = 59,
		.page_sizes = VD_DDW_4K | VD_DDW_64K, /* ibm,ddw-applicable */
		.max_tces = 1 << 20,
	};

	check("papr", vd_papr_create(&cfg, &m->papr));
	check("partition", vd_papr_add_partition(m->papr, &guest));
	check("pe", vd_papr_add_pe(m->papr, &pe));
}

/*
 * 4. A vCPU has left for a hypervisor call: @gpr are its registers. In a VMM the
 * calls that are not the library's come first or after, as it likes.
 */
static void on_hcall(struct vmm *m, uint64_t *gpr)
{
	struct vd_papr_hcall h = { .token = gpr[3] };

	memcpy(h.arg, &gpr[4], sizeof(h.arg));
	vd_papr_hcall(m->papr, GUEST, &h);
	gpr[3] = (uint64_t)h.status;
	memcpy(&gpr[4], h.out, h.nout * sizeof(h.out[0]));
}

/* 5. The device model reads by bus address, as the guest programmed it. */
static int disk_reads(struct vmm *m, uint64_t bus, void *to, size_t len)
{
	struct vd_sg sg = { .bus = { bus }, .len = len };
	struct iovec iov[8];
	struct vd_sglist list = { .sg = &sg, .n = 1, .iov = iov, .max = 8 };
	unsigned char *out = to;
	int err;

	vd_reader_enter(m->disk);
	err = vd_translate_list(m->disk, &list, VD_READ);
	for (size_t i = 0; i < list.niov && !err; i++) {
		memcpy(out, iov[i].iov_base, iov[i].iov_len);
		out += iov[i].iov_len;
	}
	vd_reader_exit(m->disk);
	return err;
}

static int64_t guest_calls(struct vmm *m, uint64_t token, uint64_t ioba,
			   uint64_t tce)
{
	uint64_t gpr[16] = { [3] = token, [4] = LIOBN, [5] = ioba, [6] = tce };

	on_hcall(m, gpr);
	return (int64_t)gpr[3];
}

/* A driver maps two pages, its device reads across them, it unmaps them. */
static void one_transfer(struct vmm *m)
{
	char text[16];
	struct vd_fault fault = { .size = sizeof(fault) };

	memcpy(m->ram + 0x5ff8, "through ", 8);
	memcpy(m->ram + 0x2000, "windows", 8);
	printf("H_PUT_TCE: %" PRId64 "\n",
	       guest_calls(m, VD_H_PUT_TCE, 0x10000, 0x5000 | VD_TCE_READ));
	printf("H_PUT_TCE: %" PRId64 "\n",
	       guest_calls(m, VD_H_PUT_TCE, 0x11000, 0x2000 | VD_TCE_READ));
	check("read", disk_reads(m, 0x10ff8, text, sizeof(text)));
	printf("the disk reads: %s\n", text);
	if (strcmp(text, "through windows") != 0)
		abort();

	/* Memory that the guest does not have is refused, and told so. */
	printf("H_PUT_TCE: %" PRId64 "\n",
	       guest_calls(m, VD_H_PUT_TCE, 0x12000, RAM_LEN | VD_TCE_READ));

	printf("H_PUT_TCE: %" PRId64 "\n",
	       guest_calls(m, VD_H_PUT_TCE, 0x10000, 0));
	if (disk_reads(m, 0x10000, text, 4) == 0)
		abort();
	check("fault", vd_adapter_next_fault(m->bridge, &fault));
	printf("fault: device %#" PRIx32 " at %#" PRIx64 ": %s\n",
	       fault.guest_id, fault.iova.v,
	       vd_fault_reason_name(fault.reason));
}

/* The guest wants a window with pages of 64 KiB. */
static void one_window(struct vmm *m)
{
	struct vd_papr_rtas r = {
		.call = VD_DDW_CREATE,
		.nin = 5,
		.nout = 4,
		.in = { 0, (uint32_t)(BUID >> 32), (uint32_t)BUID, 16, 32 },
	};

	check("rtas", vd_papr_rtas(m->papr, GUEST, &r));
	printf("ibm,create-pe-dma-window: %" PRId32 ", LIOBN %#" PRIx32 "\n",
	       (int32_t)r.out[0], r.out[1]);
}

int main(void)
{
	struct vmm m = { NULL };

	make_guest(&m);
	make_bridge(&m);
	make_papr(&m);
	one_transfer(&m);
	one_window(&m);

	/* From the outside to the inside; entries that are left are revoked. */
	vd_reader_destroy(m.disk);
	vd_papr_destroy(m.papr);
	vd_adapter_destroy(m.bridge);
	vd_domain_destroy(m.guest);
	vd_host_destroy(m.host);
	return 0;
}
