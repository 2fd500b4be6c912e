/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where unpinned guest memory can go (swap), what it is made of (huge pages),
 * and what moves or limits it.
 */
#include "doctor.h"
#include "pool_pick.h"
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#define MIB	 ((uint64_t)1 << 20)
#define NO_LIMIT ((uint64_t)1 << 62) /* or above: version 1 means none */

struct swap {
	uint64_t kib, used;
	int n, zram;
};

/* "/dev/zram0 partition 1048572 256 100" */
static int swap_line(void *ctx, char *line)
{
	struct swap *w = ctx;
	char file[256];
	uint64_t kib, used;

	if (sscanf(line, "%255s %*s %" SCNu64 " %" SCNu64, file, &kib, &used) !=
	    3)
		return 0; /* the heading */
	w->kib += kib;
	w->used += used;
	w->n++;
	w->zram += strncmp(file, "/dev/zram", 9) == 0;
	return 0;
}

static void check_swap(struct doctor *d)
{
	struct swap w = { .n = 0 };

	sysfs_lines(d->s, "/proc/swaps", swap_line, &w);
	if (w.n)
		doctor_add(d, "swap", DOCTOR_OK, NULL,
			   "%" PRIu64 " MiB%s, %" PRIu64 " MiB used",
			   w.kib / 1024,
			   w.zram == w.n ? " of zram" :
			   w.zram	 ? " (some of it zram)" :
					   "",
			   w.used / 1024);
	else
		doctor_add(d, "swap", DOCTOR_WARN,
			   "add some, for example zram: modprobe zram; zramctl "
			   "-f -s 4G; mkswap and swapon what it names",
			   "none: guest memory stays in RAM even where it is "
			   "not pinned");
}

/* The word in brackets of "always [madvise] never". */
static const char *chosen(char *line)
{
	char *from = strchr(line, '['), *to = from ? strchr(from, ']') : NULL;

	if (!to)
		return line;
	*to = '\0';
	return from + 1;
}

static void check_thp(struct doctor *d)
{
	char v[64] = "unknown";
	const char *mode;

	sysfs_read(d->s, "kernel/mm/transparent_hugepage/enabled", v,
		   sizeof(v));
	mode = chosen(v);
	if (!strcmp(mode, "always") || !strcmp(mode, "madvise"))
		doctor_add(d, "hugepages", DOCTOR_OK, NULL,
			   "transparent huge pages: %s", mode);
	else
		doctor_add(d, "hugepages", DOCTOR_WARN,
			   "write madvise to /sys/kernel/mm/"
			   "transparent_hugepage/enabled",
			   "transparent huge pages: %s; --granule 2M and the "
			   "pool need them",
			   mode);
}

static void check_hugetlb(struct doctor *d)
{
	uint64_t n = 0;

	sysfs_read_u64(d->s, "/proc/sys/vm/nr_hugepages", &n);
	if (n)
		doctor_add(d, "hugetlb", DOCTOR_WARN,
			   "give them back if nothing else wants them: "
			   "sysctl vm.nr_hugepages=0",
			   "%" PRIu64 " huge pages are set aside, which "
			   "viaduct does not use",
			   n);
	else
		doctor_add(d, "hugetlb", DOCTOR_OK, NULL,
			   "no huge pages are set aside (none are needed)");
}

/* What the pool can be made of for devices that address 4 GiB and no more. */
static void check_low(struct doctor *d)
{
	struct pool_room r;

	pool_look(d->s, &r);
	if (r.bits <= 32)
		doctor_add(d, "lowmem", DOCTOR_OK, NULL,
			   "all memory lies below 4 GiB");
	else if (r.below && r.above < r.spare)
		doctor_add(d, "lowmem", DOCTOR_OK, NULL,
			   "%" PRIu64 " MiB free below 4 GiB, for devices "
			   "with 32 address bits",
			   r.below / MIB);
	else
		doctor_add(d, "lowmem", DOCTOR_OK, NULL,
			   "none in reach below 4 GiB: drivers of devices "
			   "with 32 address bits may be refused");
}

/* Pinned pages stay where they are; mlock alone does not keep them there. */
static void check_moving(struct doctor *d)
{
	uint64_t unevictable = 0, numa = 0;

	sysfs_read_u64(d->s, "/proc/sys/vm/compact_unevictable_allowed",
		       &unevictable);
	sysfs_read_u64(d->s, "/proc/sys/kernel/numa_balancing", &numa);
	if (unevictable || numa)
		doctor_add(d, "moving", DOCTOR_OK, NULL,
			   "the kernel may move locked pages (%s%s%s); pinned "
			   "ones stay, so do not use --pin=mlock here",
			   unevictable ? "compaction" : "",
			   unevictable && numa ? ", " : "",
			   numa ? "NUMA balancing" : "");
	else
		doctor_add(d, "moving", DOCTOR_OK, NULL,
			   "compaction leaves locked pages alone");
}

static void check_ksm(struct doctor *d)
{
	uint64_t run = 0;

	sysfs_read_u64(d->s, "kernel/mm/ksm/run", &run);
	doctor_add(d, "ksm", DOCTOR_OK, NULL, "same-page merging is %s",
		   run == 1 ? "on; guest memory does not take part" : "off");
}

struct group {
	char path[512]; /* without the first slash */
	bool old;	/* version 1, which has no swap.max */
};

/* "0::/user.slice/x", or "4:memory:/x" */
static int group_line(void *ctx, char *line)
{
	const char *path = strrchr(line, ':');
	struct group *g = ctx;

	g->old = strstr(line, ":memory:");
	if (!path || (strncmp(line, "0::", 3) && !g->old))
		return 0;
	snprintf(g->path, sizeof(g->path), "%.500s",
		 path + (path[1] == '/' ? 2 : 1));
	return g->old;
}

/* The tightest of this group's and its parents'. */
static uint64_t group_limit(const struct sysfs *s, const char *top,
			    struct group g, const char *file)
{
	uint64_t limit = UINT64_MAX, v;
	char path[600], *slash;

	for (;;) {
		snprintf(path, sizeof(path), "fs/cgroup/%s%s/%s", top, g.path,
			 file);
		if (!sysfs_read_u64(s, path, &v) && v < limit)
			limit = v;
		if (!g.path[0])
			return limit;
		slash = strrchr(g.path, '/');
		*(slash ? slash : g.path) = '\0';
	}
}

static void check_cgroup(struct doctor *d)
{
	struct group g = { .old = false };
	uint64_t memory, swap;

	sysfs_lines(d->s, "/proc/self/cgroup", group_line, &g);
	memory = g.old ? group_limit(d->s, "memory/", g,
				     "memory.limit_in_bytes") :
			 group_limit(d->s, "", g, "memory.max");
	swap = group_limit(d->s, "", g, "memory.swap.max");
	if (memory < NO_LIMIT)
		doctor_add(d, "cgroup", DOCTOR_WARN,
			   "pinned pages count and cannot be reclaimed: keep "
			   "--budget well below",
			   "this control group has a limit of %" PRIu64 " MiB "
			   "of memory",
			   memory / MIB);
	else if (swap == 0)
		doctor_add(d, "cgroup", DOCTOR_WARN,
			   "raise memory.swap.max of the control group",
			   "this control group may not swap");
	else
		doctor_add(d, "cgroup", DOCTOR_OK, NULL, "no limit on memory");
}

void doctor_memory(struct doctor *d)
{
	check_swap(d);
	check_thp(d);
	check_hugetlb(d);
	check_low(d);
	check_moving(d);
	check_ksm(d);
	check_cgroup(d);
}
