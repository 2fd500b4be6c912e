/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The guard over a made-up device, which does as it is told: whatever a guest
 * writes, in whatever order and widths, a queue or the device starts only with
 * the bit accepted, as the device itself has it.
 */
#include "virtio_guard.h"
#include "unit.h"

#define AT    0x1004u /* not aligned to 8, so that accesses can straddle it */
#define OTHER 0x2000u /* the same registers once more */
#define BAR   4

static struct virtio_guard guard;

static struct device {
	uint32_t select, feat[2];
	uint8_t status;
	bool enabled, keeps_select, pulled;
	unsigned int writes, stops, gone;
	const char *why;
} dev;

static void dev_reset(struct device *d)
{
	d->feat[0] = d->feat[1] = 0;
	d->status = 0;
	d->enabled = false;
	if (!d->keeps_select)
		d->select = 0;
}

static bool has_bit(const struct device *d)
{
	return d->feat[VIRTIO_PLATFORM_WORD] & VIRTIO_PLATFORM_BIT;
}

/* X8: by what the device knows, not by what the guard thinks. */
static void check(const struct device *d)
{
	if (d->status & 12 || d->enabled)
		assert_true(has_bit(d));
}

static uint64_t dev_read(void *opaque, unsigned int bar, uint64_t off,
			 unsigned int width)
{
	const struct device *d = opaque;

	(void)width;
	assert_int_equal(bar, BAR);
	return off == AT + VIRTIO_R_STATUS ? d->status : 0x55;
}

static bool dev_write(void *opaque, unsigned int bar, uint64_t off,
		      unsigned int width, uint64_t value)
{
	struct device *d = opaque;

	assert_int_equal(bar, BAR);
	if (d->pulled)
		return false;
	d->writes++;
	off -= off >= OTHER ? OTHER : AT;
	if (off == VIRTIO_R_DRIVER_SELECT && width == 4)
		d->select = (uint32_t)value;
	else if (off == VIRTIO_R_DRIVER_FEAT && width == 4 && d->select < 2)
		d->feat[d->select] = (uint32_t)value;
	else if (off == VIRTIO_R_STATUS && width == 1 && !value)
		dev_reset(d);
	else if (off == VIRTIO_R_STATUS && width == 1)
		d->status = (uint8_t)value;
	else if (off == VIRTIO_R_QUEUE_ENABLE && width == 2)
		d->enabled = value;
	return true;
}

/* The owner takes locks under which it resets the guard. */
static void dev_gone(void *opaque)
{
	struct device *d = opaque;

	assert_int_equal(pthread_mutex_trylock(&guard.lock), 0);
	pthread_mutex_unlock(&guard.lock);
	d->gone++;
}

static void dev_stop(void *opaque, const char *why)
{
	struct device *d = opaque;

	assert_int_equal(pthread_mutex_trylock(&guard.lock), 0);
	pthread_mutex_unlock(&guard.lock);
	d->stops++;
	d->why = why;
}

static const struct virtio_guard_ops ops = { dev_read, dev_write, dev_gone,
					     dev_stop };

static const struct virtio_caps caps = {
	.is_virtio = true,
	.ncommons = 2,
	.common = { { BAR, AT, 64 }, { BAR, OTHER, 64 } },
};

static int setup(void **state)
{
	(void)state;
	memset(&dev, 0, sizeof(dev));
	virtio_guard_init(&guard, &caps, &ops, &dev);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	virtio_guard_fini(&guard);
	return 0;
}

static void put(unsigned int reg, unsigned int width, uint64_t value)
{
	virtio_guard_region.write(&guard.bar[BAR], AT + reg, width, value);
	check(&dev);
}

static uint64_t get(unsigned int reg)
{
	return virtio_guard_region.read(&guard.bar[BAR], AT + reg, 1);
}

static void accept_features(uint32_t word1)
{
	put(VIRTIO_R_STATUS, 1, 0);
	put(VIRTIO_R_STATUS, 1, 1);
	put(VIRTIO_R_STATUS, 1, 3);
	put(VIRTIO_R_DRIVER_SELECT, 4, 0);
	put(VIRTIO_R_DRIVER_FEAT, 4, ~0u);
	put(VIRTIO_R_DRIVER_SELECT, 4, 1);
	put(VIRTIO_R_DRIVER_FEAT, 4, word1);
}

/* As Linux does it. */
static void test_good(void **state)
{
	(void)state;
	assert_true(virtio_guard_watches(&guard, BAR));
	assert_false(virtio_guard_watches(&guard, 0));
	accept_features(3);
	put(VIRTIO_R_STATUS, 1, 11);
	assert_int_equal(get(VIRTIO_R_STATUS), 11);
	put(22, 2, 0);
	put(24, 2, 128);
	put(32, 4, 0x1000);
	put(40, 8, 0x2000);
	put(VIRTIO_R_QUEUE_ENABLE, 2, 1);
	put(VIRTIO_R_STATUS, 1, 15);
	assert_int_equal(dev.status, 15);
	assert_true(dev.enabled);
	assert_int_equal(guard.bad, 0);
	assert_int_equal(dev.stops, 0);
	/* And once more after a reset. */
	accept_features(3);
	put(VIRTIO_R_STATUS, 1, 15);
	assert_int_equal(dev.status, 15);
}

struct step {
	uint8_t reg, width;
	uint32_t value;
};

#define SEL(v)                               \
	{                                    \
		VIRTIO_R_DRIVER_SELECT, 4, v \
	}
#define FEAT(v)                            \
	{                                  \
		VIRTIO_R_DRIVER_FEAT, 4, v \
	}
#define STAT(v)                       \
	{                             \
		VIRTIO_R_STATUS, 1, v \
	}
#define Q(v)                                \
	{                                   \
		VIRTIO_R_QUEUE_ENABLE, 2, v \
	}

/* What stops it, and with which word. */
static void test_stops(void **state)
{
	static const struct {
		struct step step[6];
		const char *part;
	} rows[] = {
		{ { STAT(8) }, "ACCESS_PLATFORM" },
		{ { STAT(4) }, "ACCESS_PLATFORM" },
		{ { SEL(1), FEAT(1), STAT(11) }, "ACCESS_PLATFORM" },
		{ { SEL(0), FEAT(2), STAT(11) }, "ACCESS_PLATFORM" },
		{ { SEL(33), FEAT(2), STAT(11) }, "ACCESS_PLATFORM" },
		{ { SEL(1), FEAT(2), FEAT(0), STAT(11) }, "ACCESS_PLATFORM" },
		{ { SEL(1), FEAT(2), STAT(0), STAT(11) }, "ACCESS_PLATFORM" },
		{ { SEL(1), FEAT(2), STAT(4) }, "without agreeing" },
		{ { SEL(1), FEAT(2), Q(1) }, "enables a queue" },
		{ { SEL(1), FEAT(2), STAT(11), STAT(0), Q(1) },
		  "enables a queue" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		unsigned int before;

		setup(state);
		for (int n = 0; n < 6 && rows[i].step[n].width; n++)
			put(rows[i].step[n].reg, rows[i].step[n].width,
			    rows[i].step[n].value);
		assert_int_equal(dev.stops, 1);
		assert_int_equal(guard.stops, 1);
		assert_non_null(strstr(dev.why, rows[i].part));
		/* Nothing reaches it now, and nobody is told again. */
		before = dev.writes;
		put(VIRTIO_R_STATUS, 1, 15);
		put(0x800, 4, 1);
		assert_int_equal(dev.writes, before);
		assert_int_equal(dev.stops, 1);
		assert_int_equal(get(VIRTIO_R_STATUS) & 0xff, 0xff);
		virtio_guard_reset(&guard);
		dev_reset(&dev);
		accept_features(3);
		put(VIRTIO_R_STATUS, 1, 11);
		assert_int_equal(dev.status, 11);
		teardown(state);
	}
	setup(state);
}

/* Accesses that are no register's, and features after they were agreed on. */
static void test_dropped(void **state)
{
	static const struct step odd[] = {
		{ VIRTIO_R_DRIVER_SELECT, 8, 1 },
		{ VIRTIO_R_DRIVER_FEAT, 1, 2 },
		{ VIRTIO_R_DRIVER_FEAT, 8, 2 },
		{ VIRTIO_R_STATUS, 2, 0 },
		{ VIRTIO_R_STATUS, 4, 15 },
		{ VIRTIO_R_STATUS - 4, 8, 15 },
		{ VIRTIO_R_QUEUE_ENABLE, 4, 1 },
		{ VIRTIO_R_QUEUE_ENABLE, 1, 1 },
		{ 63, 1, 1 },
	};
	unsigned int before;

	(void)state;
	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++)
		put(odd[i].reg, odd[i].width, odd[i].value);
	put(-4u, 8, ~0ull); /* its second half is the first register */
	assert_int_equal(dev.writes, 0);
	assert_int_equal(guard.bad, 10);
	put(0x800, 4, 1); /* the same page, but none of its registers */
	assert_int_equal(dev.writes, 1);
	accept_features(3);
	put(VIRTIO_R_STATUS, 1, 11);
	before = dev.writes;
	put(VIRTIO_R_DRIVER_FEAT, 4, 0);
	assert_int_equal(dev.writes, before);
	assert_true(has_bit(&dev));
	assert_int_equal(dev.stops, 0);
}

/* Pulled under a write: said at once, without the lock. */
static void test_gone(void **state)
{
	(void)state;
	dev.pulled = true;
	put(VIRTIO_R_STATUS, 1, 1);
	put(VIRTIO_R_DRIVER_FEAT, 4, 1);
	put(0x800, 4, 1);
	assert_int_equal(dev.gone, 3);
	assert_int_equal(dev.stops, 0);
}

static uint64_t random_step(uint64_t *s, struct step *step)
{
	static const struct step usual[] = {
		SEL(0),	 SEL(1),  FEAT(0), FEAT(2),  FEAT(3),
		STAT(0), STAT(1), STAT(3), STAT(11), STAT(15),
		STAT(4), STAT(8), Q(0),	   Q(1),     { 22, 2, 0 },
	};
	uint64_t r = next_random(s);

	*step = usual[r % (sizeof(usual) / sizeof(usual[0]))];
	if ((r >> 8 & 7) == 0)
		step->width = (uint8_t)(1u << (r >> 16 & 3));
	if ((r >> 24 & 7) == 0)
		step->reg = (uint8_t)(r >> 32 & 63);
	if ((r >> 40 & 7) == 0)
		step->value = (uint32_t)(r >> 8);
	return r >> 48 & 1 ? AT : OTHER;
}

static void test_random(void **state)
{
	unsigned int started = 0;
	struct step step;
	uint64_t s = 5;

	(void)state;
	for (int i = 0; i < 1000000; i++) {
		uint64_t at = random_step(&s, &step);

		dev.keeps_select = i & 4096;
		virtio_guard_region.write(&guard.bar[BAR], at + step.reg,
					  step.width, step.value);
		check(&dev);
		started += dev.status == 15;
		if (guard.stopped && s % 7 == 0) {
			dev_reset(&dev);
			virtio_guard_reset(&guard);
		}
	}
	assert_true(started > 1000 && dev.stops > 1000);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_good), T(test_stops),  T(test_dropped),
		T(test_gone), T(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
