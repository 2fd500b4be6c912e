/* SPDX-License-Identifier: BSD-2-Clause */
#include "recording.h"
#include "packed.h"
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static bool is_sample(const json_t *j)
{
	return json_is_integer(json_object_get(j, "time_ms")) &&
	       json_is_array(json_object_get(j, "machines"));
}

/* A set of strings in order. */
static void note(json_t *set, const json_t *name)
{
	json_t *have;
	size_t i;

	if (!json_is_string(name))
		return;
	json_array_foreach(set, i, have)
		if (json_equal(have, name))
			return;
	json_array_append_new(set, json_string(json_string_value(name)));
}

static void note_machines(struct recording *r, const json_t *sample)
{
	json_t *m;
	size_t i;

	json_array_foreach(json_object_get(sample, "machines"), i, m)
		note(r->names, json_object_get(m, "name"));
}

/* False: it is no sample. */
static bool take_line(struct recording *r, const char *text, size_t len)
{
	json_t *j = json_loadb(text, len, 0, NULL);

	if (is_sample(j)) {
		note_machines(r, j);
		json_array_append_new(r->samples, j);
		return true;
	}
	/* A line that is JSON as far as it goes was not cut. */
	if (!j && text[len - 1] != '\n')
		r->cut = true;
	else
		r->nbad++;
	json_decref(j);
	return false;
}

static int read_lines(struct recording *r, FILE *from, unsigned int *line)
{
	char *text = NULL;
	size_t room = 0;
	unsigned int n = 0;
	ssize_t len;
	int err;

	*line = 0;
	errno = 0;
	while ((len = getline(&text, &room, from)) > 0) {
		if (++n == 1)
			r->packed = packed_reader(text, (size_t)len);
		if (!take_line(r, text, (size_t)len) && !*line)
			*line = n;
	}
	err = ferror(from) ? (errno ? -errno : -EIO) : 0;
	free(text);
	return err;
}

/* How many samples make a point. */
static size_t bucket(const struct recording *r)
{
	return (json_array_size(r->samples) + RECORDING_POINTS - 1) /
	       RECORDING_POINTS;
}

static double time_of(const struct recording *r, size_t i)
{
	return (double)json_integer_value(
		json_object_get(json_array_get(r->samples, i), "time_ms"));
}

int recording_read(struct recording *r, FILE *from, unsigned int *line)
{
	int err;

	*r = (struct recording){ json_array(), json_array(), 0, NULL, 0,
				 false,	       NULL };
	err = read_lines(r, from, line);
	if (!err && json_array_size(r->samples) == 0)
		err = *line ? -EINVAL : -ENODATA;
	if (err)
		goto err_end;
	r->n = (json_array_size(r->samples) + bucket(r) - 1) / bucket(r);
	r->x = calloc(r->n, sizeof(r->x[0]));
	err = -ENOMEM;
	if (!r->x)
		goto err_end;
	for (size_t i = 0; i < r->n; i++)
		r->x[i] = (time_of(r, i * bucket(r)) - time_of(r, 0)) / 1000;
	return 0;

err_end:
	recording_end(r);
	return err;
}

void recording_end(struct recording *r)
{
	json_decref(r->samples);
	json_decref(r->names);
	free(r->x);
	r->samples = r->names = NULL;
	r->n = 0;
	r->x = NULL;
}

/* The member of @list whose @key is @value. */
static json_t *find(const json_t *list, const char *key, const char *value)
{
	json_t *j;
	size_t i;

	json_array_foreach(list, i, j) {
		const char *s = json_string_value(json_object_get(j, key));

		if (s && !strcmp(s, value))
			return j;
	}
	return NULL;
}

static double value_at(const struct recording *r, size_t i, const char *name,
		       const char *host, const char *key)
{
	const json_t *at =
		find(json_object_get(json_array_get(r->samples, i), "machines"),
		     "name", name);
	const json_t *v;

	if (host)
		at = find(json_object_get(at, "devices"), "host", host);
	v = json_object_get(at, key);
	return json_is_number(v) ? json_number_value(v) : (double)NAN;
}

double *recording_column(const struct recording *r, const char *name,
			 const char *host, const char *key)
{
	double *y = calloc(r->n, sizeof(*y));

	for (size_t i = 0; y && i < r->n; i++)
		y[i] = (double)NAN;
	for (size_t i = 0; y && i < json_array_size(r->samples); i++) {
		double v = value_at(r, i, name, host, key);
		double *to = &y[i / bucket(r)];

		if (!isnan(v) && (isnan(*to) || v > *to))
			*to = v;
	}
	return y;
}

json_t *recording_devices(const struct recording *r, const char *name)
{
	json_t *hosts = json_array(), *sample, *d;
	size_t i, k;

	json_array_foreach(r->samples, i, sample) {
		json_t *m =
			find(json_object_get(sample, "machines"), "name", name);

		json_array_foreach(json_object_get(m, "devices"), k, d)
			note(hosts, json_object_get(d, "host"));
	}
	return hosts;
}
