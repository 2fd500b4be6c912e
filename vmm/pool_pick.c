/* SPDX-License-Identifier: BSD-2-Clause */
#include "pool_pick.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE	4096u
#define LOW_PFN (POOL_LOW / PAGE)
#define MARGIN	((uint64_t)64 << 20) /* fragments, and what others free */
#define LEAVE	((uint64_t)512 << 20)
#define TRIAL	5 /* seconds before it can be told how long it will take */

/* --- choosing -------------------------------------------------------- */

static int by_bus(const void *a, const void *b)
{
	const struct pool_piece *x = a, *y = b;

	return (x->bus > y->bus) - (x->bus < y->bus);
}

size_t pool_count_low(const struct pool_piece *piece, size_t n)
{
	size_t low = 0;

	for (size_t i = 0; i < n; i++)
		low += piece[i].bus + POOL_CHUNK <= POOL_LOW;
	return low;
}

static bool is_pair(const struct pool_piece *p)
{
	return p[0].bus % (2 * POOL_CHUNK) == 0 &&
	       p[1].bus == p[0].bus + POOL_CHUNK;
}

/* Move the @len pieces at @from down to @to; those between move up. */
static void bring(struct pool_piece *piece, size_t from, size_t to, size_t len)
{
	struct pool_piece moved[2];

	memcpy(moved, &piece[from], len * sizeof(*piece));
	memmove(&piece[to + len], &piece[to], (from - to) * sizeof(*piece));
	memcpy(&piece[to], moved, len * sizeof(*piece));
}

void pool_pick(struct pool_piece *piece, size_t n, size_t want)
{
	size_t low, taken = 0;

	qsort(piece, n, sizeof(*piece), by_bus);
	low = pool_count_low(piece, n);
	if (low >= want)
		n = low; /* they come first */
	for (size_t i = 0; i + 1 < n && taken + 2 <= want; i++) {
		if (!is_pair(&piece[i]))
			continue;
		bring(piece, i, taken, 2);
		taken += 2;
		i++;
	}
	/* What is left is still in order, so its lowest come next. */
	qsort(piece, want, sizeof(*piece), by_bus);
}

/* --- what the host has ------------------------------------------------ */

/* "00100000-7ffdbfff : System RAM" */
static int iomem_line(void *ctx, char *line)
{
	struct pool_room *r = ctx;
	uint64_t first, last;

	if (sscanf(line, "%" SCNx64 "-%" SCNx64, &first, &last) != 2 ||
	    !strstr(line, ": System RAM"))
		return 0;
	while (r->bits < 64 && last >> r->bits)
		r->bits++;
	return 0;
}

struct zones {
	struct pool_room *r;
	unsigned int node;
	bool low, high; /* the zone that the lines are about */
	uint64_t free;	/* pages, of that zone */
	uint64_t above[64];
};

/* "Node 0, zone    DMA32", then "  pages free     509321", "  high 1234". */
static int zone_line(void *ctx, char *line)
{
	struct zones *z = ctx;
	char name[32];
	uint64_t n;

	if (sscanf(line, "Node %u, zone %31s", &z->node, name) == 2) {
		z->node %= 64;
		z->low = !strcmp(name, "DMA32");
		z->high = !z->low && strcmp(name, "DMA") != 0;
		if (z->low)
			z->r->nodes |= (uint64_t)1 << z->node;
	} else if (sscanf(line, " pages free %" SCNu64, &n) == 1) {
		z->free = n;
		if (z->high)
			z->above[z->node] += n * PAGE;
	} else if (z->low && sscanf(line, " high %" SCNu64, &n) == 1) {
		/* What is below the watermark nobody gets without a fight. */
		z->r->below += z->free > n ? (z->free - n) * PAGE : 0;
	}
	return 0;
}

static void look_at_zones(const struct sysfs *s, struct pool_room *r)
{
	struct zones z = { .r = r };

	sysfs_lines(s, "/proc/zoneinfo", zone_line, &z);
	for (unsigned int i = 0; i < 64; i++)
		if (r->nodes >> i & 1)
			r->above += z.above[i];
}

static int available_line(void *ctx, char *line)
{
	uint64_t *out = ctx, kib;

	if (sscanf(line, "MemAvailable: %" SCNu64, &kib) != 1)
		return 0;
	*out = kib << 10;
	return 1;
}

/* "0::/user.slice/x": the group of version 2, which limits memory. */
static int group_line(void *ctx, char *line)
{
	char *path = ctx;

	if (strncmp(line, "0::/", 4) != 0)
		return 0;
	snprintf(path, 512, "fs/cgroup/%s", line + 4);
	return 1;
}

/* What the group may still take, or UINT64_MAX. */
static uint64_t left_in(const struct sysfs *s, const char *group)
{
	char file[600];
	uint64_t most, now;

	snprintf(file, sizeof(file), "%s/memory.max", group);
	if (sysfs_read_u64(s, file, &most)) /* "max", or there is none */
		return UINT64_MAX;
	snprintf(file, sizeof(file), "%s/memory.current", group);
	if (sysfs_read_u64(s, file, &now))
		return UINT64_MAX;
	return most > now ? most - now : 0;
}

static uint64_t left_in_groups(const struct sysfs *s)
{
	uint64_t left = UINT64_MAX, here;
	char path[512] = "";
	char *end;

	sysfs_lines(s, "/proc/self/cgroup", group_line, path);
	while ((end = strrchr(path, '/')) &&
	       strlen(path) > strlen("fs/cgroup")) {
		here = left_in(s, path);
		left = here < left ? here : left;
		*end = '\0';
	}
	return left;
}

void pool_look(const struct sysfs *s, struct pool_room *out)
{
	uint64_t group = left_in_groups(s);

	memset(out, 0, sizeof(*out));
	sysfs_lines(s, "/proc/iomem", iomem_line, out);
	if (out->bits < 24) /* who may not see them sees zeros */
		out->bits = 64;
	look_at_zones(s, out);
	sysfs_lines(s, "/proc/meminfo", available_line, &out->spare);
	if (group < out->spare)
		out->spare = group;
	out->spare -= out->spare / 4 < LEAVE ? out->spare / 4 : LEAVE;
}

uint64_t pool_room(const struct pool_room *r, uint64_t len, bool hard)
{
	uint64_t few = 2 * len + 2 * POOL_CHUNK;
	uint64_t all = r->above + few + MARGIN;

	if (!hard || r->bits <= 32 || r->below < len || all > r->spare)
		return few < r->spare ? few : len;
	return all;
}

bool pool_is_hopeless(uint64_t taken, uint64_t all, uint64_t seconds)
{
	if (seconds < TRIAL)
		return false;
	return seconds > POOL_PATIENCE || taken / seconds < all / POOL_PATIENCE;
}
