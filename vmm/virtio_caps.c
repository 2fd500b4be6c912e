/* SPDX-License-Identifier: BSD-2-Clause */
#include "virtio_caps.h"
#include <string.h>

#define STATUS	     0x06
#define STATUS_CAPS  0x10
#define REVISION     0x08
#define CAPS	     0x34
#define HEADER_LEN   0x40
#define CAP_VENDOR   0x09
#define CAP_LEN	     16u

#define VENDOR	     0x1af4
#define FIRST	     0x1000
#define FIRST_MODERN 0x1040
#define LAST	     0x107f

static uint32_t get32(const uint8_t *p)
{
	return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
	       (uint32_t)p[3] << 24;
}

static void take_common(const uint8_t *cap, struct virtio_caps *out)
{
	struct virtio_place p = {
		.bar = cap[4],
		.off = get32(cap + 8),
		.len = get32(cap + 12),
	};

	if (p.len < VIRTIO_COMMON_LEN || p.off > UINT32_MAX - p.len)
		return;
	if (out->ncommons == VIRTIO_COMMONS_MAX)
		out->too_many = true;
	else
		out->common[out->ncommons++] = p;
}

static bool has_room(const uint8_t *cap, unsigned int pos)
{
	return cap[2] >= CAP_LEN && pos + cap[2] <= VIRTIO_CFG_LEN;
}

/*
 * The types that were seen, a bit each. Linux does not look at the length of a
 * capability, so in a function that is virtio's by its ids no length hides one.
 */
static unsigned int take_cap(const uint8_t *config, unsigned int pos,
			     bool by_id, struct virtio_caps *out)
{
	const uint8_t *cap = config + pos;

	if (cap[0] != CAP_VENDOR || (!by_id && !has_room(cap, pos)) ||
	    !cap[3] || cap[3] > 9 || cap[4] > 5)
		return 0;
	if (cap[3] == VIRTIO_CAP_WINDOW) {
		if (has_room(cap, pos) && cap[2] >= CAP_LEN + 4 && !out->window)
			out->window = pos;
		return 0; /* what it names is chosen by who uses it */
	}
	if (has_room(cap, pos))
		out->bars |= 1u << cap[4];
	if (cap[3] == VIRTIO_CAP_COMMON)
		take_common(cap, out);
	return 1u << cap[3];
}

static unsigned int take_caps(const uint8_t *config, bool by_id,
			      struct virtio_caps *out)
{
	unsigned int pos = config[CAPS] & 0xfc, seen = 0;

	if (!(config[STATUS] & STATUS_CAPS))
		return 0;
	/* 48 capabilities fill the space; a list that loops ends here too. */
	for (int n = 0; n < 48 && pos >= HEADER_LEN; n++) {
		if (pos + CAP_LEN <= VIRTIO_CFG_LEN)
			seen |= take_cap(config, pos, by_id, out);
		pos = config[pos + 1] & 0xfc;
	}
	return seen;
}

void virtio_caps_read(const uint8_t *config, unsigned int len, uint16_t vendor,
		      uint16_t device, struct virtio_caps *out)
{
	const unsigned int all = 1u << VIRTIO_CAP_COMMON |
				 1u << VIRTIO_CAP_NOTIFY | 1u << VIRTIO_CAP_ISR;
	bool by_id = vendor == VENDOR && device >= FIRST && device <= LAST;
	unsigned int seen = 0;

	memset(out, 0, sizeof(*out));
	if (len >= VIRTIO_CFG_LEN)
		seen = take_caps(config, by_id, out);
	/* Other vendors make them too, and then with ids of their own. */
	out->is_virtio = by_id || ((seen & all) == all && out->ncommons);
	out->is_transitional = out->is_virtio &&
			       (!by_id || device < FIRST_MODERN) &&
			       config[REVISION] == 0;
}

bool virtio_caps_is(const uint8_t *config, unsigned int pos, uint8_t type)
{
	return pos + CAP_LEN <= VIRTIO_CFG_LEN && config[pos] == CAP_VENDOR &&
	       config[pos + 2] >= CAP_LEN && config[pos + 3] == type;
}
