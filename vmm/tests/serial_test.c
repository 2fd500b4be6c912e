/* SPDX-License-Identifier: BSD-2-Clause */
/* The 16550A, register by register, and the escape key. */
#include "serial.h"
#include "escape.h"
#include "unit.h"

struct line {
	struct serial s;
	char out[64];
	size_t n;
	bool irq;
	unsigned int rooms;
};

static void on_irq(void *ctx, bool level)
{
	((struct line *)ctx)->irq = level;
}

static void on_output(void *ctx, uint8_t byte)
{
	struct line *l = ctx;

	if (l->n < sizeof(l->out))
		l->out[l->n++] = (char)byte;
}

static void on_room(void *ctx)
{
	((struct line *)ctx)->rooms++;
}

static const struct serial_ops ops = { on_irq, on_output, on_room };

static int setup(void **state)
{
	struct line *l = calloc(1, sizeof(*l));

	serial_init(&l->s, 0x3f8, &ops, l);
	*state = l;
	return 0;
}

static int teardown(void **state)
{
	struct line *l = *state;

	serial_fini(&l->s);
	free(l);
	return 0;
}

static uint8_t in(struct line *l, unsigned int reg)
{
	return (uint8_t)l->s.region.ops->read(&l->s, reg, 1);
}

static void out(struct line *l, unsigned int reg, uint8_t value)
{
	l->s.region.ops->write(&l->s, reg, 1, value);
}

/* What Linux's 8250 driver does to find out what this is. */
static void test_probe(void **state)
{
	struct line *l = *state;

	out(l, 1, 0x0f);
	assert_int_equal(in(l, 1), 0x0f);
	out(l, 1, 0);
	out(l, 4, 0x1a);
	assert_int_equal(in(l, 6) & 0xf0, 0x90);
	out(l, 4, 0);
	assert_int_equal(in(l, 6), 0xb0);
	assert_int_equal(in(l, 2), 0x01);
	out(l, 2, 1);
	assert_int_equal(in(l, 2) >> 6, 3); /* a 16550A */
	out(l, 7, 0xae);
	assert_int_equal(in(l, 7), 0xae);
	out(l, 3, 0x80);
	out(l, 0, 1);
	out(l, 1, 0);
	assert_int_equal(in(l, 0), 1);
	out(l, 3, 3);
	assert_int_equal(l->n, 0);
	assert_int_equal(l->s.region.ops->read(&l->s, 0, 4), UINT64_MAX);
}

static void test_output(void **state)
{
	struct line *l = *state;

	out(l, 0, 'a');
	assert_memory_equal(l->out, "a", 1);
	assert_int_equal(in(l, 5), 0x60);
	out(l, 4, 8);
	out(l, 1, 2); /* "empty" at once */
	assert_true(l->irq);
	assert_int_equal(in(l, 2) & 0x0f, 2);
	assert_false(l->irq);
	out(l, 0, 'b');
	assert_true(l->irq);
	out(l, 4, 0); /* OUT2 gates the line */
	assert_false(l->irq);
}

static void test_input(void **state)
{
	struct line *l = *state;
	uint8_t big[SERIAL_QUEUE + 10];

	memset(big, 'x', sizeof(big));
	big[0] = 'a';
	assert_int_equal(serial_input(&l->s, big, sizeof(big)), SERIAL_QUEUE);
	assert_int_equal(serial_room(&l->s), 0);
	out(l, 1, 1);
	out(l, 4, 9);
	assert_false(l->irq); /* no RTS: the guest is not ready */
	assert_int_equal(in(l, 0), 0);
	out(l, 2, 7); /* clearing the FIFO keeps the queue */
	out(l, 4, 0x0b);
	assert_true(l->irq);
	assert_int_equal(in(l, 2) & 0x0f, 4);
	assert_int_equal(in(l, 5), 0x61);
	assert_int_equal(in(l, 0), 'a');
	assert_int_equal(l->rooms, 1);
	for (int i = 1; i < SERIAL_QUEUE; i++)
		assert_int_equal(in(l, 0), 'x');
	assert_false(l->irq);
	assert_int_equal(in(l, 5), 0x60);
}

static void test_loopback(void **state)
{
	struct line *l = *state;

	serial_input(&l->s, (const uint8_t *)"real", 4);
	out(l, 4, 0x1b);
	out(l, 0, 'q');
	assert_int_equal(l->n, 0);
	assert_int_equal(in(l, 5), 0x61);
	out(l, 0, 'r');
	assert_int_equal(in(l, 5) & 2, 2); /* overrun, told once */
	assert_int_equal(in(l, 5) & 2, 0);
	assert_int_equal(in(l, 0), 'r');
	out(l, 4, 0x0b);
	assert_int_equal(in(l, 0), 'r'); /* the first of "real" */
	assert_int_equal(in(l, 0), 'e');
}

static void test_reset(void **state)
{
	struct line *l = *state;

	serial_input(&l->s, (const uint8_t *)"abc", 3);
	out(l, 1, 1);
	out(l, 4, 0x0b);
	assert_true(l->irq);
	serial_reset(&l->s);
	assert_false(l->irq);
	assert_int_equal(serial_room(&l->s), SERIAL_QUEUE);
	assert_int_equal(in(l, 1) | in(l, 3) | in(l, 4), 0);
}

static void test_random(void **state)
{
	struct line *l = *state;
	uint64_t s = 3;
	uint8_t junk[300] = { 0 };

	for (int i = 0; i < 200000; i++) {
		uint64_t x = next_random(&s);

		if (x & 1)
			out(l, x >> 1 & 7, (uint8_t)(x >> 8));
		else
			in(l, x >> 1 & 7);
		if ((x >> 20 & 31) == 0)
			serial_input(&l->s, junk, x >> 32 & 255);
		assert_true(serial_room(&l->s) <= SERIAL_QUEUE);
		l->n = 0;
	}
}

static void test_escape(void **state)
{
	static const struct {
		const char *in, *out;
		enum escape_event event;
	} rows[] = {
		{ "plain", "plain", ESCAPE_NONE },
		{ "a\1xb", "a", ESCAPE_QUIT },
		{ "\1X", "", ESCAPE_QUIT },
		{ "a\1hb", "ab", ESCAPE_HELP },
		{ "\1\1", "\1", ESCAPE_NONE },
		{ "\1\1\1\1x", "\1\1x", ESCAPE_NONE },
		{ "\1z", "\1z", ESCAPE_NONE },
		{ "\1h\1x", "", ESCAPE_QUIT },
		{ "\1", "", ESCAPE_NONE },
	};
	uint8_t got[64];
	size_t n, total;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct escape whole = { 0 }, parts = { 0 };
		const uint8_t *p = (const uint8_t *)rows[i].in;
		enum escape_event event = ESCAPE_NONE, last;
		size_t len = strlen(rows[i].in);

		assert_int_equal(escape_filter(&whole, p, len, got, &n),
				 rows[i].event);
		assert_int_equal(n, strlen(rows[i].out));
		assert_memory_equal(got, rows[i].out, n);
		/* The same, byte by byte. */
		total = 0;
		for (size_t j = 0; j < len && event != ESCAPE_QUIT; j++) {
			last = escape_filter(&parts, p + j, 1, got + total, &n);
			event = last != ESCAPE_NONE ? last : event;
			total += n;
		}
		assert_int_equal(event, rows[i].event);
		assert_int_equal(total, strlen(rows[i].out));
		assert_memory_equal(got, rows[i].out, total);
	}
}

int main(void)
{
#define LINE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		LINE(test_probe),
		LINE(test_output),
		LINE(test_input),
		LINE(test_loopback),
		LINE(test_reset),
		LINE(test_random),
		cmocka_unit_test(test_escape),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
