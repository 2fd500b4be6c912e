/* SPDX-License-Identifier: BSD-2-Clause */
#include "chart.h"
#include <stdbool.h>

/* In the SVG's own units, which the browser scales. */
#define WIDTH  960.0
#define HEIGHT 260.0
#define LEFT   80.0
#define RIGHT  10.0
#define TOP    10.0
#define BOTTOM 28.0
#define TICKS  4 /* about so many on the y axis */
#define XTICKS 8

static const char *const colour[CHART_SERIES] = {
	"#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9",
};

struct scale {
	double x0, x1;	  /* seconds */
	double top, step; /* of y, which begins at 0 */
};

void chart_text(FILE *to, const char *text)
{
	for (; *text; text++) {
		switch (*text) {
		case '&':
			fputs("&amp;", to);
			break;
		case '<':
			fputs("&lt;", to);
			break;
		case '>':
			fputs("&gt;", to);
			break;
		case '"':
			fputs("&quot;", to);
			break;
		default:
			/* XML has no other control characters */
			fputc((unsigned char)*text < ' ' ? ' ' : *text, to);
		}
	}
}

void chart_value(char *out, size_t len, double v, enum chart_unit unit)
{
	static const char *const name[2][5] = {
		{ " B", " KiB", " MiB", " GiB", " TiB" },
		{ "", "k", "M", "G", "T" },
	};
	double base = unit == CHART_BYTES ? 1024 : 1000;
	int i = 0;

	for (; v >= base && i < 4; i++)
		v /= base;
	snprintf(out, len, "%.4g%s", v, name[unit != CHART_BYTES][i]);
}

/* NAN is not itself. */
static bool is_known(double v)
{
	return v == v;
}

static double largest(const struct chart *c)
{
	double max = 0;

	for (unsigned int s = 0; s < c->nseries; s++)
		for (size_t i = 0; i < c->n; i++)
			if (is_known(c->series[s].y[i]) &&
			    c->series[s].y[i] > max)
				max = c->series[s].y[i];
	return max;
}

/* A power of two for bytes, else 1, 2 or 5 times a power of ten. */
static double nice_step(double max, enum chart_unit unit)
{
	static const double factor[] = { 1, 2, 5, 10 };
	double want = max / TICKS, step = 1;

	while (unit == CHART_BYTES && step < want)
		step *= 2;
	if (unit == CHART_BYTES)
		return step;
	while (want >= 10 * step)
		step *= 10;
	for (int i = 0; i < 4; i++)
		if (factor[i] * step >= want)
			return factor[i] * step;
	return 10 * step;
}

static struct scale make_scale(const struct chart *c)
{
	struct scale s = { .x0 = c->n ? c->x[0] : 0 };
	double max = largest(c);

	s.x1 = c->n ? c->x[c->n - 1] : 1;
	if (s.x1 <= s.x0)
		s.x1 = s.x0 + 1;
	s.step = nice_step(max > 0 ? max : 1, c->unit);
	for (s.top = s.step; s.top < max; s.top += s.step)
		;
	return s;
}

static double px(const struct scale *s, double x)
{
	return LEFT + (x - s->x0) / (s->x1 - s->x0) * (WIDTH - LEFT - RIGHT);
}

static double py(const struct scale *s, double y)
{
	return HEIGHT - BOTTOM - y / s->top * (HEIGHT - TOP - BOTTOM);
}

static void print_axes(FILE *to, const struct chart *c, const struct scale *s)
{
	char text[32];
	double step =
		nice_step((s->x1 - s->x0) * TICKS / XTICKS, CHART_PER_SECOND);

	for (double y = 0; y <= s->top * 1.001; y += s->step) {
		chart_value(text, sizeof(text), y, c->unit);
		fprintf(to,
			"<line class=\"grid\" x1=\"%.1f\" x2=\"%.1f\" "
			"y1=\"%.1f\" y2=\"%.1f\"/>"
			"<text class=\"y\" x=\"%.1f\" y=\"%.1f\">%s</text>\n",
			LEFT, WIDTH - RIGHT, py(s, y), py(s, y), LEFT - 6,
			py(s, y) + 4, text);
	}
	for (double x = s->x0; x <= s->x1; x += step)
		fprintf(to,
			"<text class=\"x\" x=\"%.1f\" y=\"%.1f\">%g s</text>\n",
			px(s, x), HEIGHT - 8, x);
}

/* A line for each stretch without a gap. */
static void print_series(FILE *to, const struct chart *c, const struct scale *s,
			 unsigned int i)
{
	const double *y = c->series[i].y;
	bool open = false;

	for (size_t k = 0; k < c->n; k++) {
		if (!is_known(y[k])) {
			fputs(open ? "\"/>\n" : "", to);
			open = false;
			continue;
		}
		if (!open)
			fprintf(to,
				"<polyline class=\"data\" stroke=\"%s\" "
				"points=\"",
				colour[i]);
		open = true;
		fprintf(to, "%.1f,%.1f ", px(s, c->x[k]), py(s, y[k]));
	}
	fputs(open ? "\"/>\n" : "", to);
}

static void print_legend(FILE *to, const struct chart *c)
{
	fputs("<p class=\"legend\">", to);
	for (unsigned int i = 0; i < c->nseries; i++) {
		fprintf(to, "<span style=\"color:%s\">&#9632;</span> ",
			colour[i]);
		chart_text(to, c->series[i].name);
		fputs("&#8195;", to);
	}
	fputs("</p>\n", to);
}

void chart_print(FILE *to, const struct chart *c)
{
	struct scale s = make_scale(c);

	fputs("<figure><figcaption>", to);
	chart_text(to, c->title);
	fputs("</figcaption>\n", to);
	print_legend(to, c);
	fprintf(to, "<svg viewBox=\"0 0 %.0f %.0f\" role=\"img\">\n", WIDTH,
		HEIGHT);
	print_axes(to, c, &s);
	for (unsigned int i = 0; i < c->nseries; i++)
		print_series(to, c, &s, i);
	fputs("</svg></figure>\n", to);
}
