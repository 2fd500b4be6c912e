/* SPDX-License-Identifier: BSD-2-Clause */
#include "usage.h"
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

struct reader {
	const struct usage_area *guest;
	size_t nguest;
	bool inside; /* the lines are of a mapping of these */
	struct usage u;
};

/* "Swap:    12 kB": bytes, if the line is of @field. */
static bool is_field(const char *line, const char *field, uint64_t *bytes)
{
	size_t n = strlen(field);
	uint64_t kib;

	if (strncmp(line, field, n) || line[n] != ':' ||
	    sscanf(line + n + 1, "%" SCNu64, &kib) != 1)
		return false;
	*bytes = kib * 1024;
	return true;
}

static bool is_guest(const struct reader *r, uint64_t first, uint64_t end)
{
	for (size_t i = 0; i < r->nguest; i++) {
		uint64_t start = (uintptr_t)r->guest[i].hva;

		if (first < start + r->guest[i].len && end > start)
			return true;
	}
	return false;
}

static int smaps_line(void *ctx, char *line)
{
	struct reader *r = ctx;
	uint64_t first, end, n;
	int used = 0;

	/* "7f0000000000-7f0040000000 rw-p 00000000 00:00 0": fields follow */
	if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %n", &first, &end, &used) ==
		    2 &&
	    used)
		r->inside = is_guest(r, first, end);
	else if (is_field(line, "Rss", &n)) {
		r->u.resident += n;
		r->u.guest_resident += r->inside ? n : 0;
	} else if (r->inside && is_field(line, "Swap", &n))
		r->u.guest_swapped += n;
	return 0;
}

int usage_read(const struct sysfs *s, const struct usage_area *guest,
	       size_t nguest, struct usage *out)
{
	struct reader r = { .guest = guest, .nguest = nguest };
	int err;

	err = sysfs_lines(s, "/proc/self/smaps", smaps_line, &r);
	if (!err)
		*out = r.u;
	return err;
}

static int status_line(void *ctx, char *line)
{
	return is_field(line, "VmSwap", ctx);
}

int usage_swapped(const struct sysfs *s, uint64_t *out)
{
	int err = sysfs_lines(s, "/proc/self/status", status_line, out);

	if (err == 0)
		return -ENOENT;
	return err < 0 ? err : 0;
}
