/* SPDX-License-Identifier: BSD-2-Clause */
#include "machine_dma.h"
#include "machine.h"
#include "machine_memory.h"
#include "rundir.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

static void on_keeper_death(void *opaque)
{
	struct machine *m = opaque;

	machine_fail(m, 0,
		     "the keeper process has died, so nobody would hold "
		     "the guest's pages after this process; the machine "
		     "stops, and the next one that has devices gives its "
		     "devices back");
	machine_ask(m, MACHINE_WISH_DIE);
}

int machine_dma_begin(struct machine *m)
{
	const struct dma_cfg cfg = {
		.assign = m->cfg.assign,
		.nassign = (unsigned int)m->cfg.nassign,
		.pin = m->cfg.pin,
		.pin_all = m->cfg.pin_all,
		.granule_shift = m->cfg.granule_shift,
		.budget = m->cfg.budget,
		.pool_len = m->cfg.pool,
		.strict = m->cfg.strict,
		.no_bounce = m->cfg.no_bounce,
		.keep = m->cfg.confine,
		.keeper_died = on_keeper_death,
		.opaque = m,
	};
	int err = dma_begin(&m->dma, &cfg, m->why, sizeof(m->why));

	m->cfg.pool = dma_pool_len(&m->dma);
	return err;
}

int machine_dma_create(struct machine *m)
{
	int err = dma_create(&m->dma, &m->vm, &m->pci, m->why, sizeof(m->why));

	if (!err)
		err = machine_share_attach(m);
	if (err)
		dma_destroy(&m->dma);
	return err;
}

int machine_dma_reset(struct machine *m)
{
	int err = dma_reset(&m->dma);

	return err ? machine_fail(m, err,
				  "an assigned device does not stop "
				  "its DMA, so the guest cannot be reset") :
		     0;
}

void machine_dma_destroy(struct machine *m)
{
	share_detach(&m->share);
	dma_destroy(&m->dma);
}

static struct assign *by_id(struct machine *m, uint32_t guest_id)
{
	for (unsigned int i = 0; i < m->dma.nassigned; i++)
		if (assign_guest_id(m->dma.assigned[i]) == guest_id)
			return m->dma.assigned[i];
	return NULL;
}

static int on_permit(void *opaque, uint32_t guest_id)
{
	struct assign *a = by_id(opaque, guest_id);

	return a ? assign_permit(a) : -ENODEV;
}

static int on_deny(void *opaque, uint32_t guest_id)
{
	struct assign *a = by_id(opaque, guest_id);

	return a ? assign_deny(a) : -ENODEV;
}

static void on_quit(void *opaque)
{
	struct machine *m = opaque;

	machine_fail(m, 0, "ended by viaduct ctl quit");
	machine_ask(m, MACHINE_WISH_QUIT);
}

static void on_powerdown(void *opaque, struct control_powerdown *out)
{
	struct machine *m = opaque;
	struct powerdown_state s;

	powerdown_ask(&m->powerdown, "viaduct ctl powerdown");
	powerdown_state(&m->powerdown, &s);
	out->grace_ms = s.grace_ms;
	out->left_ms = s.left_ms;
	out->listens = pm_listens(&m->pm);
}

static void on_exits(void *opaque,
		     void (*visit)(void *ctx, const char *cause,
				   uint64_t count),
		     void *ctx)
{
	machine_exits(opaque, visit, ctx);
}

static uint64_t on_start_us(void *opaque)
{
	return machine_start_us(opaque);
}

static int on_balloon(void *opaque, const uint64_t *target,
		      struct balloon_stats *out)
{
	struct machine *m = opaque;
	int err;

	memset(out, 0, sizeof(*out));
	if (!m->balloon.vm) /* --pin all: there is none */
		return target && *target ? -ERANGE : 0;
	err = target ? balloon_set(&m->balloon, *target) : 0;
	balloon_stats(&m->balloon, out);
	return err;
}

static void on_relief(void *opaque, struct relief_stats *out)
{
	struct machine *m = opaque;

	relief_stats(&m->relief, out);
}

static void on_share(void *opaque, struct share_stats *out)
{
	struct machine *m = opaque;

	share_stats(&m->share, out);
}

static uint64_t on_interrupts(void *opaque, uint32_t guest_id)
{
	struct assign *a = by_id(opaque, guest_id);

	return a ? a->intx.count : 0;
}

static const char *on_why(void *opaque, uint32_t guest_id)
{
	struct assign *a = by_id(opaque, guest_id);

	return a ? assign_why(a) : NULL;
}

static const struct control_vm_ops control_ops = {
	.permit = on_permit,
	.deny = on_deny,
	.quit = on_quit,
	.powerdown = on_powerdown,
	.exits = on_exits,
	.start_us = on_start_us,
	.balloon = on_balloon,
	.relief = on_relief,
	.share = on_share,
	.interrupts = on_interrupts,
	.why = on_why,
};

/* To be read for as long as the machine runs, but opened no more. */
static void keep_files(struct machine *m)
{
	struct sysfs *s = &m->control_vm.files;
	char keeper[48];

	sysfs_keep(s, "/proc/self/status", &m->kept);
	sysfs_keep(s, "/proc/self/smaps", &m->kept);
	if (m->dma.has_keeper) {
		m->control_vm.keeper = m->dma.keeper.pid;
		snprintf(keeper, sizeof(keeper), "/proc/%d/status",
			 (int)m->dma.keeper.pid);
		sysfs_keep(s, keeper, &m->kept);
	}
	s->kept = &m->kept;
}

static void describe(struct machine *m)
{
	m->control_vm = (struct control_vm){
		.name = m->cfg.name,
		.domain = m->dma.domain,
		.hal = m->dma.hal.hal,
		.ops = &control_ops,
		.opaque = m,
		.nvcpus = m->cfg.ncpus,
		.ram_len = m->vm.ram_len,
		.granule = 1ull << m->cfg.granule_shift,
		.pool_low = pool_low(&m->dma.pool),
		.area = {
			{ .hva = m->vm.ram, .len = m->vm.ram_len },
			{ .hva = m->dma.pool.hva, .len = m->dma.pool.len },
		},
		.narea = m->dma.pool.len ? 2 : 1,
	};
}

int machine_control_create(struct machine *m)
{
	char dir[RUNDIR_LEN], path[108];
	struct control_cfg cfg;
	const char *at = m->cfg.control;
	int err;

	if (!at) {
		err = rundir(dir, sizeof(dir));
		if (err)
			return machine_fail(m, err,
					    "the path of the runtime folder is "
					    "too long; choose a control socket "
					    "with --control");
		err = control_path(dir, m->cfg.name, path, sizeof(path));
		if (err)
			return machine_fail(m, err,
					    "impossible name: %s; use "
					    "letters, digits, '.', '_', '-'",
					    m->cfg.name);
		at = path;
	}
	describe(m);
	keep_files(m);
	control_vm_cfg(&m->control_vm, at, &cfg);
	err = control_create(&cfg, &m->control, m->why, sizeof(m->why));
	if (!err && m->dma.has_keeper)
		keeper_tidy(&m->dma.keeper, at);
	if (err)
		sysfs_forget(&m->kept);
	return err;
}

void machine_control_destroy(struct machine *m)
{
	control_destroy(m->control);
	sysfs_forget(&m->kept);
}
