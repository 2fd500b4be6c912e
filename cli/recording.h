/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A recording: lines of viaduct top --json, as columns of numbers. At most
 * RECORDING_POINTS are kept: of a longer one, each point is the largest of
 * several, so that peaks are not lost.
 */
#ifndef CLI_RECORDING_H
#define CLI_RECORDING_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define RECORDING_POINTS 1000

struct recording {
	json_t *samples;    /* array; owned */
	json_t *names;	    /* of machines, as they came; owned */
	size_t n;	    /* points */
	double *x;	    /* seconds since the first; owned */
	unsigned int nbad;  /* lines that are no samples: left out */
	bool cut;	    /* the last line is, and is left out */
	const char *packed; /* what unpacks it: packed_reader() */
};

/*
 * Read @from to its end. What is no sample is left out and counted, and a last
 * line that has neither its end nor its newline is cut: whoever wrote it was
 * killed, or its disk was full. *@line is the first that is left out, 0: none.
 * Return: 0; -EINVAL (there is no sample, but line *@line is there; nbad, cut
 * and packed are set), -ENODATA (it is empty), -ENOMEM, or an error of reading
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
