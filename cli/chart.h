/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A chart: values over time as one SVG, with axes and a legend, without
 * scripts. Colours are those of Okabe and Ito, which most people can tell
 * apart.
 */
#ifndef CLI_CHART_H
#define CLI_CHART_H

#include <stddef.h>
#include <stdio.h>

#define CHART_SERIES 6

enum chart_unit { CHART_BYTES, CHART_PER_SECOND };

/* All borrowed. @y has as many values as the chart's @x; NAN: a gap. */
struct chart_series {
	const char *name;
	const double *y;
};

struct chart {
	const char *title;
	enum chart_unit unit;
	const double *x; /* seconds, ascending */
	size_t n;
	struct chart_series series[CHART_SERIES];
	unsigned int nseries;
};

void chart_print(FILE *to, const struct chart *c);

/* Text as HTML and XML take it. */
void chart_text(FILE *to, const char *text);

/* "1.5 MiB", "12.3k": at least 32 bytes of room. */
void chart_value(char *out, size_t len, double v, enum chart_unit unit);

#endif
