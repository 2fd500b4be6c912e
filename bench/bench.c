/* SPDX-License-Identifier: BSD-2-Clause */
#include "bench.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

double bench_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double bench_median(double *v, size_t n)
{
	qsort(v, n, sizeof(*v), compare);
	return n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

uint64_t bench_random(uint64_t *seed, uint64_t n)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return (*seed >> 11) % n;
}

static json_t *load(const char *path)
{
	json_t *all = json_load_file(path, 0, NULL);

	if (json_is_array(all))
		return all;
	json_decref(all);
	return json_array();
}

static void remove_same(json_t *all, const struct bench_result *r)
{
	size_t i = json_array_size(all);

	while (i-- > 0) {
		json_t *one = json_array_get(all, i);
		const char *goal =
			json_string_value(json_object_get(one, "goal"));
		const char *name =
			json_string_value(json_object_get(one, "name"));

		if (goal && name && !strcmp(goal, r->goal) &&
		    !strcmp(name, r->name))
			json_array_remove(all, i);
	}
}

static void save(const struct bench_result *r, int met)
{
	const char *dir = getenv("VIADUCT_BUILD");
	char path[4096];
	json_t *all;

	snprintf(path, sizeof(path), "%s/bench.json", dir ? dir : "build");
	all = load(path);
	remove_same(all, r);
	json_array_append_new(
		all, json_pack("{s:s, s:s, s:f, s:f, s:s, s:s, s:b}", "goal",
			       r->goal, "name", r->name, "value", r->value,
			       "bound", r->bound, "unit", r->unit, "reference",
			       r->reference, "met", met));
	if (json_dump_file(all, path, JSON_INDENT(2) | JSON_REAL_PRECISION(6)))
		fprintf(stderr, "bench: cannot write %s\n", path);
	json_decref(all);
}

void bench_report(const struct bench_result *r)
{
	int met = r->value <= r->bound;

	printf("%-4s %-44s bound %7.3f  measured %7.3f %s  %s\n", r->goal,
	       r->name, r->bound, r->value, r->unit, met ? "met" : "not met");
	fflush(stdout);
	save(r, met);
}

void bench_note(const char *name, double value, const char *unit)
{
	printf("     %-44s %25.1f %s\n", name, value, unit);
}
