/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ACPI fixed hardware (ACPI 6.3, 4.8) and the reset ports.
 *
 * The machine is always in ACPI mode: SCI_EN reads as set. Of the events only
 * the power button ever happens; the PM timer is 32 bits wide and its overflow
 * raises nothing, which Linux does not use.
 */
#include "pm.h"
#include <string.h>
#include <time.h>

#define REG_STATUS     0
#define REG_ENABLE     2
#define REG_CONTROL    4
#define REG_TIMER      8

#define STATUS_BUTTON  0x100
#define STATUS_ALL     0x8731 /* bits that exist */
#define CONTROL_SCI_EN 0x0001
#define CONTROL_SLP_EN 0x2000
#define CONTROL_KEPT   0x1c06 /* SLP_TYP, GBL_RLS, BM_RLD */
#define SLP_TYP_OFF    5

#define CF9_RESET      0x04
#define KBC_RESET      0xfe

uint32_t pm_ticks(uint64_t ns)
{
	uint64_t s = ns / 1000000000u, rest = ns % 1000000000u;

	return (uint32_t)(s * PM_HZ + rest * PM_HZ / 1000000000u);
}

static uint32_t now_ticks(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return pm_ticks((uint64_t)ts.tv_sec * 1000000000u +
			(uint64_t)ts.tv_nsec);
}

static void update_sci(struct pm *pm)
{
	pm->ops->sci(pm->ctx, (pm->status & pm->enable) != 0);
}

/* All registers as they stand, so that any width can be cut out of them. */
static uint32_t read_dword(struct pm *pm, uint64_t off)
{
	uint32_t value = 0;

	if (off == REG_TIMER)
		return now_ticks();
	pthread_mutex_lock(&pm->lock);
	if (off == REG_STATUS)
		value = pm->status | (uint32_t)pm->enable << 16;
	else if (off == REG_CONTROL)
		value = pm->control | CONTROL_SCI_EN;
	pthread_mutex_unlock(&pm->lock);
	return value;
}

static uint64_t pm_read(void *ctx, uint64_t off, unsigned int width)
{
	if (off % 4 + width > 4)
		return UINT64_MAX;
	return read_dword(ctx, off & ~3ull) >> off % 4 * 8;
}

static bool write_control(struct pm *pm, uint16_t value)
{
	pm->control = value & CONTROL_KEPT;
	return (value & CONTROL_SLP_EN) && (value >> 10 & 7) == SLP_TYP_OFF;
}

/* One 16-bit register; true: power off. With the lock held. */
static bool write_reg(struct pm *pm, uint64_t off, uint16_t value)
{
	switch (off) {
	case REG_STATUS:
		pm->status &= (uint16_t)~value; /* written 1s clear */
		break;
	case REG_ENABLE:
		pm->enable = value & STATUS_ALL;
		break;
	case REG_CONTROL:
		return write_control(pm, value);
	}
	return false;
}

static void pm_write(void *ctx, uint64_t off, unsigned int width,
		     uint64_t value)
{
	struct pm *pm = ctx;
	bool off_now;

	/* Drivers write these whole: ACPICA uses the width of the FADT. */
	if (off % 2 || width < 2 || off % 4 + width > 4)
		return;
	pthread_mutex_lock(&pm->lock);
	off_now = write_reg(pm, off, (uint16_t)value);
	if (width == 4)
		write_reg(pm, off + 2, (uint16_t)(value >> 16));
	update_sci(pm);
	pthread_mutex_unlock(&pm->lock);
	if (off_now)
		pm->ops->power_off(pm->ctx);
}

static const struct region_ops pm_region_ops = {
	.read = pm_read,
	.write = pm_write,
};

static uint64_t cf9_read(void *ctx, uint64_t off, unsigned int width)
{
	(void)ctx;
	(void)off;
	(void)width;
	return 0;
}

static void cf9_write(void *ctx, uint64_t off, unsigned int width,
		      uint64_t value)
{
	struct pm *pm = ctx;

	(void)off;
	(void)width;
	if (value & CF9_RESET)
		pm->ops->reset(pm->ctx);
}

const struct region_ops pm_reset_register = {
	.read = cf9_read,
	.write = cf9_write,
};

static uint64_t legacy_read(void *ctx, uint64_t off, unsigned int width)
{
	(void)ctx;
	(void)off;
	(void)width;
	return UINT64_MAX;
}

static void legacy_write(void *ctx, uint64_t off, unsigned int width,
			 uint64_t value)
{
	(void)ctx;
	(void)off;
	(void)width;
	(void)value;
}

static const struct region_ops legacy_ops = {
	.read = legacy_read,
	.write = legacy_write,
};

static void kbc_write(void *ctx, uint64_t off, unsigned int width,
		      uint64_t value)
{
	struct pm *pm = ctx;

	(void)width;
	if (off == 4 && value == KBC_RESET)
		pm->ops->reset(pm->ctx);
}

static const struct region_ops kbc_ops = {
	.read = legacy_read,
	.write = kbc_write,
};

void pm_init(struct pm *pm, const struct pm_ops *ops, void *ctx)
{
	static const struct {
		const struct region_ops *ops;
		uint64_t base, len;
	} rows[PM_LEGACY] = {
		{ &kbc_ops, 0x60, 5 },	   /* but 0x61, which is KVM's */
		{ &legacy_ops, 0x70, 2 },  /* CMOS */
		{ &legacy_ops, 0x80, 16 }, /* delays, POST codes */
	};

	memset(pm, 0, sizeof(*pm));
	pm->ops = ops;
	pm->ctx = ctx;
	pthread_mutex_init(&pm->lock, NULL);
	pm->region = (struct region){
		.cause = "power",
		.ops = &pm_region_ops,
		.ctx = pm,
		.base = PM_BASE,
		.len = PM_LEN,
	};
	for (int i = 0; i < PM_LEGACY; i++)
		pm->legacy[i] = (struct region){
			.cause = "legacy",
			.ops = rows[i].ops,
			.ctx = pm,
			.base = rows[i].base,
			.len = rows[i].len,
		};
}

void pm_fini(struct pm *pm)
{
	pthread_mutex_destroy(&pm->lock);
}

void pm_reset(struct pm *pm)
{
	pthread_mutex_lock(&pm->lock);
	pm->status = pm->enable = pm->control = 0;
	update_sci(pm);
	pthread_mutex_unlock(&pm->lock);
}

int pm_hook(struct pm *pm, struct region_map *pio)
{
	int err = region_add(pio, &pm->region);

	for (int i = 0; i < PM_LEGACY && !err; i++)
		err = region_add(pio, &pm->legacy[i]);
	if (err)
		pm_unhook(pm, pio);
	return err;
}

void pm_unhook(struct pm *pm, struct region_map *pio)
{
	region_remove(pio, &pm->region);
	for (int i = 0; i < PM_LEGACY; i++)
		region_remove(pio, &pm->legacy[i]);
}

void pm_press_button(struct pm *pm)
{
	pthread_mutex_lock(&pm->lock);
	pm->status |= STATUS_BUTTON;
	update_sci(pm);
	pthread_mutex_unlock(&pm->lock);
}

bool pm_listens(struct pm *pm)
{
	bool yes;

	pthread_mutex_lock(&pm->lock);
	yes = pm->enable & STATUS_BUTTON;
	pthread_mutex_unlock(&pm->lock);
	return yes;
}
