/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The Calgary view of a register: eight lengths, and a table that is aligned
 * to its own size, which is why the lowest bits of its address are free for the
 * code and the valid bit.
 */
#include <checked.h>
#include <errno.h>
#include <viaduct/calgary.h>
#include <viaduct/window.h>

#define CODES	    8u
#define ENTRY_SHIFT 3u

/* The code for a length in entries; CODES: there is none. */
static uint64_t code_of(uint64_t len)
{
	uint64_t code = 0;

	while (code < CODES && (uint64_t)VD_CALGARY_MIN_LEN << code != len)
		code++;
	return code;
}

static bool is_at_its_size(uint64_t table, uint64_t len)
{
	return (table & ((len << ENTRY_SHIFT) - 1)) == 0;
}

int vd_calgary_tar(struct vd_adapter *a, uint32_t slot, uint64_t *out)
{
	struct vd_window_info w = { .size = sizeof(w) };
	uint64_t code;
	int err = vd_window_show(a, slot, &w);

	if (err == -ENOENT)
		*out = 0;
	if (err)
		return err == -ENOENT ? 0 : err;
	code = code_of(w.len);
	if (code == CODES || w.format != VD_FORMAT_TCE ||
	    w.page_shift != VD_PAGE_SHIFT || !is_at_its_size(w.table, w.len) ||
	    (w.table & ~VD_CALGARY_TAR_TABLE) != 0)
		return -ERANGE;
	*out = w.table | VD_CALGARY_TAR_VALID | code;
	return 0;
}

int vd_calgary_decode(uint64_t tar, uint64_t *table, uint64_t *len)
{
	uint64_t at = tar & VD_CALGARY_TAR_TABLE;
	uint64_t n = (uint64_t)VD_CALGARY_MIN_LEN
		     << (tar & VD_CALGARY_TAR_CODE);

	if ((tar & VD_CALGARY_TAR_VALID) == 0)
		return -ENOENT;
	if ((tar & ~(VD_CALGARY_TAR_TABLE | VD_CALGARY_TAR_VALID |
		     VD_CALGARY_TAR_CODE)) != 0 ||
	    !is_at_its_size(at, n))
		return -EINVAL;
	*table = at;
	*len = n;
	return 0;
}
