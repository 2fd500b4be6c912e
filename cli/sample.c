/* SPDX-License-Identifier: BSD-2-Clause */
#include "sample.h"
#include "snapshot.h"
#include <stdint.h>

static double seconds(const json_t *now, const json_t *before)
{
	json_int_t ms =
		json_integer_value(snapshot_find(now, "status.uptime_ms")) -
		json_integer_value(snapshot_find(before, "status.uptime_ms"));

	return (double)ms / 1000;
}

/* Null without a sample before, or if the machine is another one by now. */
static json_t *rate(json_int_t now, json_int_t before, double s)
{
	if (s <= 0 || now < before)
		return json_null();
	return json_real((double)(now - before) / s);
}

static json_int_t sum(const json_t *object)
{
	const char *key;
	json_t *v;
	json_int_t n = 0;

	json_object_foreach((json_t *)(uintptr_t)object, key, v)
		n += json_integer_value(v);
	return n;
}

static json_int_t sum_of(const json_t *snapshot, const char *path)
{
	return sum(snapshot_find(snapshot, path));
}

static json_int_t number_of(const json_t *snapshot, const char *path)
{
	return json_integer_value(snapshot_find(snapshot, path));
}

static json_t *device_before(const json_t *before, const json_t *device)
{
	json_t *list = snapshot_find(before, "counters.devices"), *d;
	size_t i;

	json_array_foreach(list, i, d)
		if (json_equal(json_object_get(d, "host"),
			       json_object_get(device, "host")))
			return d;
	return NULL;
}

static void set_rate(json_t *to, const char *name, const json_t *now,
		     const json_t *before, const char *key, double s)
{
	json_object_set_new(
		to, name,
		rate(json_integer_value(json_object_get(now, key)),
		     json_integer_value(json_object_get(before, key)),
		     before ? s : 0));
}

static json_t *device_json(json_t *d, json_t *before, double s)
{
	static const char *const copied[] = { "host",	  "state",
					      "mappings", "mapped_bytes",
					      "refused",  "faults" };
	json_t *j = json_object();

	for (size_t i = 0; i < sizeof(copied) / sizeof(copied[0]); i++)
		json_object_set(j, copied[i], json_object_get(d, copied[i]));
	set_rate(j, "maps_per_second", d, before, "maps", s);
	set_rate(j, "interrupts_per_second", d, before, "interrupts", s);
	return j;
}

static json_t *devices_json(const json_t *now, const json_t *before, double s)
{
	json_t *list = json_array(), *d;
	size_t i;

	json_array_foreach(snapshot_find(now, "counters.devices"), i, d)
		json_array_append_new(
			list, device_json(d, device_before(before, d), s));
	return list;
}

/* What is taken as it is. */
static void copy_fields(json_t *to, const json_t *snapshot)
{
	static const struct {
		const char *name, *path;
	} row[] = {
		{ "name", "status.name" },
		{ "guest_ram_bytes", "status.guest_ram_bytes" },
		{ "guest_resident_bytes", "status.guest_resident_bytes" },
		{ "swapped_bytes", "status.swapped_bytes" },
		{ "pinned_bytes", "status.pinned_bytes" },
		{ "cached_bytes", "status.cached_bytes" },
		{ "held_bytes", "status.held_bytes" },
		{ "mapped_bytes", "status.mapped_bytes" },
		{ "budget_bytes", "status.budget_bytes" },
		{ "balloon_bytes", "balloon.actual_bytes" },
		{ "paged_out_bytes", "pressure.paged_out_bytes" },
	};

	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		json_t *v = snapshot_find(snapshot, row[i].path);

		if (v)
			json_object_set(to, row[i].name, v);
		else
			json_object_set_new(to, row[i].name, json_null());
	}
}

json_t *sample_machine(const json_t *snapshot, const json_t *before)
{
	double s = before ? seconds(snapshot, before) : 0;
	json_t *j = json_object();

	copy_fields(j, snapshot);
	json_object_set_new(
		j, "refused",
		json_integer(
			number_of(snapshot, "counters.domain.refused_budget") +
			number_of(snapshot, "counters.domain.refused_denied") +
			number_of(snapshot, "counters.domain.refused_other")));
	json_object_set_new(j, "exits_per_second",
			    rate(sum_of(snapshot, "counters.exits"),
				 sum_of(before, "counters.exits"), s));
	json_object_set_new(j, "maps_per_second",
			    rate(number_of(snapshot, "counters.domain.maps"),
				 number_of(before, "counters.domain.maps"), s));
	json_object_set_new(j, "devices", devices_json(snapshot, before, s));
	return j;
}

json_t *sample_make(uint64_t time_ms, json_t *machines)
{
	return json_pack("{s:I,s:o}", "time_ms", (json_int_t)time_ms,
			 "machines", machines);
}
