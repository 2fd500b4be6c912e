/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The commands of a machine's control socket, on libviaduct's public calls and
 * a few that the machine lends. docs/control.md lists every field.
 *
 *	struct control_vm cv = { .name = ..., ... };
 *	struct control_cfg cfg;
 *
 *	control_vm_cfg(&cv, path, &cfg);
 *	err = control_create(&cfg, &control, why, sizeof(why));
 *	...
 *	control_destroy(control);	before the domain goes
 */
#ifndef VMM_CONTROL_VERBS_H
#define VMM_CONTROL_VERBS_H

#include "balloon.h"
#include "control.h"
#include "relief.h"
#include "share.h"
#include "usage.h"
#include <viaduct/viaduct.h>

#define CONTROL_AREAS 4

/* What comes of a powerdown; @left_ms: until the plug is pulled. */
struct control_powerdown {
	uint64_t grace_ms, left_ms;
	bool listens; /* the guest, to its power button */
};

/* All are called in the server's thread, one at a time. */
struct control_vm_ops {
	/* As vd_device_permit() and vd_device_deny(), same errors. */
	int (*permit)(void *opaque, uint32_t guest_id);
	int (*deny)(void *opaque, uint32_t guest_id);
	/* Ask the machine to end; returns at once. */
	void (*quit)(void *opaque);
	/* Call @visit for every cause; a cause may come several times. */
	void (*exits)(void *opaque,
		      void (*visit)(void *ctx, const char *cause,
				    uint64_t count),
		      void *ctx);
	/* Microseconds from start to the first guest instruction; 0: not yet. */
	uint64_t (*start_us)(void *opaque);
	/* Set the balloon if @target is not NULL, then look at it. As
	 * balloon_set(). */
	int (*balloon)(void *opaque, const uint64_t *target,
		       struct balloon_stats *out);
	void (*relief)(void *opaque, struct relief_stats *out);
	void (*share)(void *opaque, struct share_stats *out);
	/* Interrupts that a device has passed to the guest; 0: no such one. */
	uint64_t (*interrupts)(void *opaque, uint32_t guest_id);
	/* Press the guest's power button: powerdown_ask(). */
	void (*powerdown)(void *opaque, struct control_powerdown *out);
	/* Why the machine itself denied a device, a clause; NULL: it did not. */
	const char *(*why)(void *opaque, uint32_t guest_id);
};

/**
 * struct control_vm - what the commands know; all borrowed
 * @hal:     NULL: the machine has no HAL device
 * @ram_len: guest RAM in bytes
 * @granule: in bytes: what is pinned at least
 * @pool_low: bytes of the pool that lie below 4 GiB on the bus
 * @area:    where guest memory (RAM, then the pool) lies in this process
 */
struct control_vm {
	const char *name;
	struct vd_domain *domain;
	struct vd_hal *hal;
	const struct control_vm_ops *ops;
	void *opaque;
	unsigned int nvcpus;
	uint64_t ram_len;
	uint64_t granule;
	uint64_t pool_low;
	struct usage_area area[CONTROL_AREAS];
	size_t narea;
	struct sysfs files; /* of /proc, perhaps kept */
	pid_t keeper;	    /* 0: there is none */
	/* Ours; only the server's thread changes them. */
	int64_t started;       /* ms */
	uint64_t swapped_peak; /* of guest memory, bytes */
};

/*
 * Fill in a server configuration for @path. @v must live until the server is
 * destroyed.
 */
void control_vm_cfg(struct control_vm *v, const char *path,
		    struct control_cfg *cfg);

/* A library's host id of a PCI function in words: "10000:e1:00.0". */
#define CONTROL_HOST_LEN 24
void control_host_name(uint64_t id, char *text, size_t len);

/* Commands with a file of their own. */
int control_run_balloon(void *ctx, const json_t *args, json_t **result,
			struct control_error *e);
int control_run_budget(void *ctx, const json_t *args, json_t **result,
		       struct control_error *e);
int control_run_pressure(void *ctx, const json_t *args, json_t **result,
			 struct control_error *e);

/* control_pins.c */
int control_run_why_pinned(void *ctx, const json_t *args, json_t **result,
			   struct control_error *e);
json_t *control_confine_json(struct control_vm *v); /* control_confine.c */
json_t *control_pins_json(struct vd_domain *d);	    /* null without a table */

/* The command table, for tests. */
struct control_table control_vm_table(struct control_vm *v);

#endif
