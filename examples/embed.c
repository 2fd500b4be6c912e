/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How a VMM embeds libviaduct: one guest, one device, one buffer.
 *
 *	embed		real pages (needs root and io_uring)
 *	embed --fake	invented addresses: runs anywhere
 *
 * Build it against an installed library:
 *	cc embed.c $(pkg-config --cflags --libs viaduct)
 */
#include <viaduct/viaduct.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define RAM_LEN ((size_t)64 << 20)
#define NIC	(3u << 3) /* the guest sees it at 00:03.0 */

static void check(const char *what, int err)
{
	if (!err)
		return;
	fprintf(stderr, "%s: %s\n", what, strerror(-err));
	exit(1);
}

/*
 * What only the VMM can do: stop the device. For a PCI function that is to
 * clear its bus-master bit, to wait for its transactions, and to reset it.
 * The library calls this before it lets go of a page.
 */
static int stop_dma(void *opaque)
{
	printf("quiesce %s\n", (const char *)opaque);
	return 0;
}

static struct vd_host *make_host(int fake, void *ram)
{
	const struct vd_noiommu_cfg cfg = { .size = sizeof(cfg),
					    .method = VD_PIN_IO_URING };
	struct vd_host *host;

	if (fake)
		check("fake host",
		      vd_host_fake_create(ram, RAM_LEN / VD_PAGE_SIZE, &host));
	else
		check("noiommu host", vd_host_noiommu_create(&cfg, &host));
	return host;
}

static struct vd_domain *make_domain(struct vd_host *host, void *ram)
{
	static const struct vd_device_ops ops = { sizeof(ops), stop_dma };
	static char name[] = "nic";
	const struct vd_domain_cfg cfg = {
		.size = sizeof(cfg),
		.granule_shift = 12,
		.budget = 16 << 20, /* pin 16 MiB of the 64 at most */
	};
	const struct vd_device_cfg nic = {
		.size = sizeof(nic),
		.guest_id = NIC,
		.host_id = 0x0300,
		.ops = &ops,
		.opaque = name,
	};
	struct vd_domain *d;

	check("domain", vd_domain_create(host, &cfg, &d));
	/* The guest's RAM begins at its address 0. */
	check("memory", vd_domain_add_memory(d, (vd_gpa){ 0 }, ram, RAM_LEN));
	check("device", vd_device_attach(d, &nic));
	return d;
}

/*
 * What happens when the guest's driver maps a buffer: three pages, one segment
 * each, because guest-contiguous memory is not contiguous on the bus.
 */
static void one_transfer(struct vd_domain *d)
{
	struct vd_domain_stats stats = { .size = sizeof(stats) };
	struct vd_seg buffer[3];
	size_t done;
	vd_gpa gpa;

	for (uint64_t i = 0; i < 3; i++)
		buffer[i] = (struct vd_seg){
			.gpa = { 0x100000 + i * VD_PAGE_SIZE },
			.len = VD_PAGE_SIZE,
			.prot = VD_READ | VD_WRITE,
		};
	check("map", vd_device_map(d, NIC, buffer, 3, UINT64_MAX));
	vd_domain_stats(d, &stats);
	printf("pinned %" PRIu64 " bytes\n", stats.pinned);

	/* These are what the driver gives to its device. */
	for (int i = 0; i < 3; i++)
		printf("guest %#" PRIx64 " is bus %#" PRIx64 "\n",
		       buffer[i].gpa.v, buffer[i].iova.v);

	/* And back, as a device model would ask. */
	check("translate",
	      vd_device_translate(d, NIC, buffer[1].iova, VD_WRITE, &gpa));
	if (gpa.v != buffer[1].gpa.v)
		abort();

	check("unmap", vd_device_unmap_segs(d, NIC, buffer, 3, &done));
	vd_domain_stats(d, &stats);
	printf("pinned %" PRIu64 " bytes\n", stats.pinned);
}

int main(int argc, char **argv)
{
	int fake = argc > 1 && !strcmp(argv[1], "--fake");
	void *ram = mmap(NULL, RAM_LEN, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	struct vd_host *host;
	struct vd_domain *d;

	if (ram == MAP_FAILED)
		return 1;
	/* Pins are counted in pages, so keep huge pages away. */
	madvise(ram, RAM_LEN, MADV_NOHUGEPAGE);
	host = make_host(fake, ram);
	d = make_domain(host, ram);
	one_transfer(d);

	/* Quiesces the device, then lets go of its pins. */
	vd_domain_destroy(d);
	vd_host_destroy(host);
	return 0;
}
