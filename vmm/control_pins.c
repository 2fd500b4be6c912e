/* SPDX-License-Identifier: BSD-2-Clause */
/* What is pinned without being mapped by a request, and why a page is. */
#include "control_verbs.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static void set(json_t *to, const char *key, uint64_t v)
{
	json_object_set_new(to, key, json_integer((json_int_t)v));
}

json_t *control_pins_json(struct vd_domain *d)
{
	struct vd_pins_stats s = { .size = sizeof(s) };
	json_t *j;

	vd_domain_pins_stats(d, &s);
	if (!s.nwords)
		return json_null();
	j = json_object();
	set(j, "cached_bytes", s.cached);
	set(j, "held_bytes", s.held);
	set(j, "requests", s.requests);
	set(j, "asked", s.asked);
	set(j, "pinned", s.pinned);
	set(j, "aged", s.aged);
	set(j, "reclaimed", s.reclaimed);
	set(j, "dropped", s.dropped);
	return j;
}

static json_t *host_name(struct vd_domain *d, uint32_t guest_id)
{
	struct vd_device_info i = { .size = sizeof(i) };
	char bdf[CONTROL_HOST_LEN];

	if (vd_device_info(d, guest_id, &i))
		return json_string(""); /* gone by now */
	control_host_name(i.host_id, bdf, sizeof(bdf));
	return json_string(bdf);
}

/* The library's times are those that the ager gave it: CLOCK_MONOTONIC. */
static uint64_t ms_ago(uint64_t then)
{
	struct timespec t;
	uint64_t now;

	clock_gettime(CLOCK_MONOTONIC, &t);
	now = (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
	return then < now ? now - then : 0;
}

static json_t *cached_json(struct vd_domain *d, const struct vd_why *w)
{
	json_t *j;

	if (!w->cached)
		return json_null();
	j = json_object();
	json_object_set_new(j, "neighbour",
			    json_boolean(w->device == VD_WHY_AROUND));
	json_object_set_new(j, "host",
			    w->device == VD_WHY_AROUND ?
				    json_string("") :
				    host_name(d, w->device));
	set(j, "asked", w->asked);
	set(j, "asked_ms_ago", ms_ago(w->asked_ms));
	set(j, "pinned_ms_ago", ms_ago(w->since_ms));
	set(j, "held", w->held);
	json_object_set_new(j, "used", json_boolean(w->used));
	return j;
}

static json_t *why_json(struct vd_domain *d, uint64_t page,
			const struct vd_why *w)
{
	json_t *j = json_object(), *by = json_array();
	char text[24];

	snprintf(text, sizeof(text), "0x%" PRIx64, page);
	json_object_set_new(j, "guest", json_string(text));
	json_object_set_new(j, "pinned", json_boolean(w->pinned));
	set(j, "mappings", w->mappings);
	for (uint32_t i = 0; i < w->nby && i < VD_WHY_DEVICES; i++)
		json_array_append_new(by, host_name(d, w->by[i]));
	json_object_set_new(j, "mapped_by", by);
	json_object_set_new(j, "cached", cached_json(d, w));
	return j;
}

/* A number, or one in a string, as all addresses here are. */
static bool read_address(const json_t *a, uint64_t *out)
{
	const char *text = json_string_value(a);

	if (json_is_integer(a) && json_integer_value(a) >= 0) {
		*out = (uint64_t)json_integer_value(a);
		return true;
	}
	return text && control_number(text, out);
}

int control_run_why_pinned(void *ctx, const json_t *args, json_t **result,
			   struct control_error *e)
{
	struct control_vm *v = ctx;
	struct vd_why why = { .size = sizeof(why), .pinned = false };
	json_t *address;
	uint64_t gpa;

	if (control_args(args, e, "{s:o}", "guest", &address))
		return -1;
	if (!read_address(address, &gpa))
		return control_fail(e, CONTROL_BAD_ARGUMENTS,
				    "\"guest\" is no address");
	if (vd_domain_why_pinned(v->domain, (vd_gpa){ gpa }, &why) == -EFAULT)
		return control_fail(e, CONTROL_BAD_ARGUMENTS,
				    "0x%" PRIx64 " is not guest memory", gpa);
	*result = why_json(v->domain, gpa & ~(VD_PAGE_SIZE - 1), &why);
	return 0;
}
