/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A recording: lines of viaduct top --json, as columns of numbers. At most
 * RECORDING_POINTS are kept: of a longer one, each point is the largest of
 * several, so that peaks are not lost.
 */
#ifndef CLI_RECORDING_H
#define CLI_RECORDING_H

#include <jansson.h>
#include <stddef.h>
#include <stdio.h>

#define RECORDING_POINTS 1000

struct recording {
	json_t *samples; /* array; owned */
	json_t *names;	 /* of machines, as they came; owned */
	size_t n;	 /* points */
	double *x;	 /* seconds since the first; owned */
};

/*
 * Read @from to its end. 0; -EINVAL: line *line is no sample; -ENODATA: there
 * is none; -ENOMEM.
 */
int recording_read(struct recording *r, FILE *from, unsigned int *line);
void recording_end(struct recording *r);

/*
 * Field @key of machine @name, or of its device @host if that is not NULL:
 * r->n numbers, NAN where there is none; the caller's to free(). NULL: no
 * memory.
 */
double *recording_column(const struct recording *r, const char *name,
			 const char *host, const char *key);

/* The hosts of a machine's devices, as they came; a new reference. */
json_t *recording_devices(const struct recording *r, const char *name);

#endif
