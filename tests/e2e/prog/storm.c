/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * storm: map and unmap, or pin and evict, other pages all the time under a small
 * budget, and see how much the kernel has pinned.
 *
 *	storm maps|runs|pins SECONDS
 *
 * maps are single pages, runs are of 16 pages in one segment, pins are those of
 * the pin table that make room for each other. Prints "budget", "counted"
 * (the library's peak), "vmpin" and "held" in KiB, each on a line: held is what
 * all processes together have pinned more than at the start, by nr_foll_pin_* of
 * /proc/vmstat. Exit status 1 if either is above the budget at any look.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#include <viaduct/abi/hal.h>
#include <viaduct/device.h>
#include <viaduct/domain.h>
#include <viaduct/host.h>
#include <viaduct/pins.h>

#define PAGE   4096u
#define BUDGET (1u << 20)
#define LEN    ((size_t)256 << 20)
#define LOOK   16 /* rounds */

static unsigned char *ram;
static uint64_t *word;
static struct vd_domain *d;
static long most_vmpin, most_held, held_before;

static long value(const char *path, const char *key)
{
	FILE *f = fopen(path, "r");
	char line[256];
	long v = -1;

	while (f && fgets(line, sizeof(line), f)) {
		if (!strncmp(line, key, strlen(key)))
			v = atol(line + strlen(key));
	}
	if (f)
		fclose(f);
	return v;
}

/* Pages that are pinned now. Each CPU counts for itself; this sums it up. */
static long held(void)
{
	FILE *f = fopen("/proc/sys/vm/stat_refresh", "w");

	if (f) {
		fputs("1\n", f);
		fclose(f);
	}
	return value("/proc/vmstat", "nr_foll_pin_acquired ") -
	       value("/proc/vmstat", "nr_foll_pin_released ");
}

static void look(void)
{
	long kib = value("/proc/self/status", "VmPin:");
	long now = (held() - held_before) * (PAGE / 1024);

	most_vmpin = kib > most_vmpin ? kib : most_vmpin;
	most_held = now > most_held ? now : most_held;
}

static int quiesce(void *opaque)
{
	(void)opaque;
	return 0;
}

static int make(void)
{
	static const struct vd_device_ops ops = { sizeof(ops), quiesce };
	const struct vd_noiommu_cfg cfg = { .size = sizeof(cfg), .method = VD_PIN_IO_URING };
	const struct vd_domain_cfg dc = { .size = sizeof(dc),
					  .granule_shift = 12,
					  .budget = BUDGET };
	const struct vd_device_cfg dev = {
		.size = sizeof(dev), .guest_id = 1, .host_id = 1, .ops = &ops
	};
	struct vd_host *host;

	ram = mmap(NULL, LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	word = mmap(NULL, LEN / PAGE * 8, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		    0);
	if (ram == MAP_FAILED || word == MAP_FAILED)
		return -1;
	madvise(ram, LEN, MADV_NOHUGEPAGE);
	memset(ram, 1, LEN);
	held_before = held();
	if (vd_host_noiommu_create(&cfg, &host))
		return -1;
	/* What it tried the kernel with is let go within a second or two. */
	for (int i = 0; i < 50 && held() > held_before; i++)
		usleep(100000);
	return vd_domain_create(host, &dc, &d) ||
	       vd_domain_add_memory(d, (vd_gpa){ 0 }, ram, LEN) ||
	       vd_domain_share_pins(d, word, LEN / PAGE) || vd_device_attach(d, &dev);
}

/* One request for @n segments of @npages each from page @at on, and its end. */
static int turn(bool pins, uint64_t at, size_t n, size_t npages)
{
	struct vd_seg seg[VD_MAP_MAX_SEGS];
	size_t done;
	int err;

	for (size_t i = 0; i < n; i++)
		seg[i] = (struct vd_seg){ .gpa = { (at + i * npages) * PAGE },
					  .len = npages * PAGE,
					  .prot = VD_READ | VD_WRITE };
	if (!pins) {
		err = vd_device_map(d, 1, seg, n, UINT64_MAX);
		if (at / (n * npages) % LOOK == 0)
			look();
		return err ? err : vd_device_unmap_segs(d, 1, seg, n, &done);
	}
	err = vd_device_pin(d, 1, seg, n, UINT64_MAX);
	for (size_t i = 0; i < n; i++)
		word[at + i] &= ~(VD_HAL_WORD_COUNT | VD_HAL_WORD_USED);
	return err;
}

static int run(bool pins, size_t n, size_t npages, time_t seconds)
{
	time_t end = time(NULL) + seconds;
	uint64_t npages_all = LEN / PAGE, at = 0;
	unsigned int round = 0;
	int err = 0;

	while (!err && time(NULL) < end) {
		err = turn(pins, at, n, npages);
		if (err == -EXDEV) /* a run is not one on the bus */
			err = 0;
		at += n * npages;
		if (at + n * npages > npages_all)
			at = 0;
		if (++round % LOOK == 0)
			look();
	}
	return err;
}

int main(int argc, char **argv)
{
	bool pins = argc == 3 && !strcmp(argv[1], "pins");
	bool runs = argc == 3 && !strcmp(argv[1], "runs");
	struct vd_domain_stats st = { .size = sizeof(st) };
	int err;

	if (argc != 3 || (!pins && !runs && strcmp(argv[1], "maps") != 0)) {
		fprintf(stderr, "usage: storm maps|runs|pins SECONDS\n");
		return 2;
	}
	if (make() != 0) {
		fprintf(stderr, "storm: no host to pin with: run it as root\n");
		return 2;
	}
	err = run(pins, runs ? 1 : 128, runs ? 16 : 1, atol(argv[2]));
	vd_domain_stats(d, &st);
	printf("budget %u\ncounted %llu\nvmpin %ld\nheld %ld\nmaps %llu\n", BUDGET / 1024,
	       (unsigned long long)st.pinned_peak / 1024, most_vmpin, most_held,
	       (unsigned long long)st.maps);
	if (err)
		fprintf(stderr, "storm: a request failed: %s\n", strerror(-err));
	return err || most_vmpin > (long)BUDGET / 1024 || most_held > (long)BUDGET / 1024;
}
