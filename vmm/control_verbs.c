/* SPDX-License-Identifier: BSD-2-Clause */
#include "control_verbs.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <viaduct/abi/hal.h>

#ifndef VIADUCT_VERSION
#define VIADUCT_VERSION "0"
#endif

#define TICK_MS	     1000
#define LIST_DEFAULT 256
#define LIST_MAX     1024 /* of one answer: about 100 kB */

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* JSON has no unsigned 64-bit numbers that everyone can read. */
static json_int_t number(uint64_t v)
{
	return v > INT64_MAX ? INT64_MAX : (json_int_t)v;
}

static void set(json_t *to, const char *key, uint64_t v)
{
	json_object_set_new(to, key, json_integer(number(v)));
}

static void say(json_t *to, const char *key, const char *text)
{
	json_object_set_new(to, key, json_string(text));
}

static void set_address(json_t *to, const char *key, uint64_t v)
{
	char text[24];

	snprintf(text, sizeof(text), "0x%" PRIx64, v);
	say(to, key, text);
}

static void set_bool(json_t *to, const char *key, bool v)
{
	json_object_set_new(to, key, json_boolean(v));
}

static int give(json_t *j, json_t **result, struct control_error *e)
{
	if (!j)
		return control_fail(e, CONTROL_FAILED, "out of memory");
	*result = j;
	return 0;
}

void control_host_name(uint64_t id, char *text, size_t len)
{
	unsigned int fn = (unsigned int)id & 0xffff;

	snprintf(text, len, "%04" PRIx64 ":%02x:%02x.%x", id >> 16, fn >> 8,
		 fn >> 3 & 0x1f, fn & 7);
}

static json_t *device_json(struct control_vm *v, const struct vd_device_info *i)
{
	json_t *j = json_object();
	char bdf[CONTROL_HOST_LEN];
	const char *why;

	control_host_name(i->host_id, bdf, sizeof(bdf));
	set(j, "guest_id", i->guest_id);
	say(j, "host", bdf);
	say(j, "state", vd_device_state_name(i->state));
	set(j, "mappings", i->nmappings);
	set(j, "mapped_bytes", i->mapped);
	set(j, "maps", i->maps);
	set(j, "unmaps", i->unmaps);
	set(j, "translations", i->translations);
	set(j, "refused", i->refused);
	set(j, "faults", i->faults);
	set(j, "denies", i->denies);
	set(j, "interrupts", v->ops->interrupts(v->opaque, i->guest_id));
	why = v->ops->why(v->opaque, i->guest_id);
	json_object_set_new(j, "why", why ? json_string(why) : json_null());
	return j;
}

static json_t *devices_json(struct control_vm *v)
{
	struct vd_device_info i = { .size = sizeof(i) };
	json_t *list = json_array();

	for (uint64_t next = 0; vd_device_next(v->domain, next, &i) == 0;
	     next = (uint64_t)i.guest_id + 1)
		json_array_append_new(list, device_json(v, &i));
	return list;
}

/* "0000:03:00.0", "03:00.0", or the guest id as a number in a string. */
static bool is_called(const struct vd_device_info *i, const char *name)
{
	char bdf[CONTROL_HOST_LEN], *end;
	unsigned long id;

	control_host_name(i->host_id, bdf, sizeof(bdf));
	if (strcasecmp(bdf, name) == 0 ||
	    (i->host_id >> 16 == 0 && strcasecmp(bdf + 5, name) == 0))
		return true;
	if (name[0] < '0' || name[0] > '9')
		return false;
	id = strtoul(name, &end, strncmp(name, "0x", 2) ? 10 : 16);
	return !*end && id == i->guest_id;
}

static bool is_meant(const struct vd_device_info *i, const json_t *name)
{
	if (json_is_integer(name))
		return json_integer_value(name) == i->guest_id;
	return is_called(i, json_string_value(name));
}

static int find_device(struct control_vm *v, const json_t *name,
		       struct vd_device_info *out, struct control_error *e)
{
	uint64_t next = 0;

	if (!json_is_integer(name) && !json_is_string(name))
		return control_fail(e, CONTROL_BAD_ARGUMENTS,
				    "\"device\" is a string or a guest id");
	while (vd_device_next(v->domain, next, out) == 0) {
		if (is_meant(out, name))
			return 0;
		next = (uint64_t)out->guest_id + 1;
	}
	if (json_is_integer(name))
		return control_fail(e, CONTROL_NO_DEVICE,
				    "there is no device with guest id "
				    "%" JSON_INTEGER_FORMAT,
				    json_integer_value(name));
	return control_fail(e, CONTROL_NO_DEVICE, "there is no device %.64s",
			    json_string_value(name));
}

static void add_exits(void *ctx, const char *cause, uint64_t count)
{
	json_t *exits = ctx;
	json_t *before = json_object_get(exits, cause);

	count += (uint64_t)json_integer_value(before);
	set(exits, cause, count);
}

static json_t *exits_json(struct control_vm *v)
{
	json_t *exits = json_object();

	v->ops->exits(v->opaque, add_exits, exits);
	return exits;
}

static void see_swapped(struct control_vm *v, uint64_t swapped)
{
	if (swapped > v->swapped_peak)
		v->swapped_peak = swapped;
}

/* The walk is made only when there may be something new to see. */
static void tick(void *ctx)
{
	struct control_vm *v = ctx;
	uint64_t swapped;
	struct usage u;

	if (usage_swapped(&v->files, &swapped) || swapped <= v->swapped_peak)
		return;
	if (!usage_read(&v->files, v->area, v->narea, &u))
		see_swapped(v, u.guest_swapped);
}

static void add_usage(struct control_vm *v, json_t *to)
{
	struct usage u = { .resident = 0 };

	if (!usage_read(&v->files, v->area, v->narea, &u))
		see_swapped(v, u.guest_swapped);
	set(to, "guest_resident_bytes", u.guest_resident);
	set(to, "pool_bytes", v->narea > 1 ? v->area[1].len : 0);
	set(to, "pool_low_bytes", v->pool_low);
	set(to, "swapped_bytes", u.guest_swapped);
	set(to, "swapped_peak_bytes", v->swapped_peak);
	set(to, "vmm_resident_bytes", u.resident - u.guest_resident);
}

static bool in_charge(struct control_vm *v)
{
	struct vd_hal_stats s = { .size = sizeof(s), .in_charge = false };

	if (v->hal)
		vd_hal_stats(v->hal, &s);
	return s.in_charge;
}

static json_t *budget_json(uint64_t budget)
{
	return budget == UINT64_MAX ? json_null() :
				      json_integer(number(budget));
}

static int run_status(void *ctx, const json_t *args, json_t **result,
		      struct control_error *e)
{
	struct control_vm *v = ctx;
	struct vd_pins_stats pins = { .size = sizeof(pins) };
	struct vd_domain_stats s = { .size = sizeof(s) };
	json_t *j;

	if (control_args(args, e, "{}"))
		return -1;
	vd_domain_stats(v->domain, &s);
	j = json_object();
	say(j, "name", v->name);
	set(j, "pid", (uint64_t)getpid());
	set(j, "uptime_ms", (uint64_t)(now_ms() - v->started));
	set(j, "start_us", v->ops->start_us(v->opaque));
	set(j, "vcpus", v->nvcpus);
	say(j, "iommu", "none");
	set_bool(j, "hal_in_charge", in_charge(v));
	set(j, "guest_ram_bytes", v->ram_len);
	json_object_set_new(j, "budget_bytes", budget_json(s.budget));
	set(j, "pinned_bytes", s.pinned);
	set(j, "pinned_peak_bytes", s.pinned_peak);
	set(j, "mapped_bytes", s.mapped);
	set(j, "mapped_peak_bytes", s.mapped_peak);
	vd_domain_pins_stats(v->domain, &pins);
	set(j, "cached_bytes", pins.cached);
	set(j, "held_bytes", pins.held);
	add_usage(v, j);
	set(j, "mappings", s.nmappings);
	set(j, "devices", s.ndevices);
	set(j, "faults", s.nfaults);
	json_object_set_new(j, "confinement", control_confine_json(v));
	json_object_set_new(j, "exits", exits_json(v));
	return give(j, result, e);
}

static int run_devices(void *ctx, const json_t *args, json_t **result,
		       struct control_error *e)
{
	if (control_args(args, e, "{}"))
		return -1;
	return give(devices_json(ctx), result, e);
}

static const char *rights_name(unsigned int prot)
{
	static const char *const name[] = { "", "r", "w", "rw" };

	return name[prot & 3];
}

static json_t *mapping_json(const struct vd_mapping *m)
{
	json_t *j = json_object();

	set_address(j, "bus", m->iova.v);
	set_address(j, "guest", m->gpa.v);
	set(j, "bytes", m->len);
	say(j, "rights", rights_name(m->prot));
	return j;
}

static int list_mappings(struct control_vm *v, uint32_t guest_id, size_t from,
			 size_t max, json_t **out)
{
	struct vd_mapping *m = calloc(max + 1, sizeof(*m));
	size_t n = 0;
	int err;

	if (!m)
		return -ENOMEM;
	err = vd_device_mappings(v->domain, guest_id, from, m, max, &n);
	if (err)
		goto out;
	*out = json_array();
	for (size_t i = 0; i < n; i++)
		json_array_append_new(*out, mapping_json(&m[i]));
out:
	free(m);
	return err;
}

static int check_page(json_int_t from, json_int_t max, struct control_error *e)
{
	if (from < 0)
		return control_fail(e, CONTROL_BAD_ARGUMENTS,
				    "\"from\" must not be negative");
	if (max < 0 || max > LIST_MAX)
		return control_fail(e, CONTROL_BAD_ARGUMENTS,
				    "\"max\" must be 0 to %d", LIST_MAX);
	return 0;
}

static int run_mappings(void *ctx, const json_t *args, json_t **result,
			struct control_error *e)
{
	struct vd_device_info info = { .size = sizeof(info) };
	struct control_vm *v = ctx;
	json_int_t from = 0, max = LIST_DEFAULT;
	json_t *name, *list, *j;
	char bdf[CONTROL_HOST_LEN];

	if (control_args(args, e, "{s:o,s?I,s?I}", "device", &name, "from",
			 &from, "max", &max) ||
	    check_page(from, max, e) || find_device(v, name, &info, e))
		return -1;
	if (list_mappings(v, info.guest_id, (size_t)from, (size_t)max, &list))
		return control_fail(e, CONTROL_FAILED,
				    "the device went away or no memory");
	control_host_name(info.host_id, bdf, sizeof(bdf));
	j = json_object();
	say(j, "host", bdf);
	set(j, "guest_id", info.guest_id);
	set(j, "total", info.nmappings);
	set(j, "mapped_bytes", info.mapped);
	set(j, "from", (uint64_t)from);
	json_object_set_new(j, "mappings", list);
	return give(j, result, e);
}

static json_t *domain_json(const struct vd_domain_stats *s)
{
	json_t *j = json_object();

	set(j, "maps", s->maps);
	set(j, "unmaps", s->unmaps);
	set(j, "refused_budget", s->refused_budget);
	set(j, "refused_denied", s->refused_denied);
	set(j, "refused_other", s->refused_other);
	set(j, "faults", s->nfaults);
	return j;
}

static json_t *answers_json(const struct vd_hal_stats *s)
{
	static const char *const name[16] = {
		[VD_HAL_S_OK] = "ok",
		[VD_HAL_S_UNSUPP] = "unsupported",
		[VD_HAL_S_INVAL] = "invalid",
		[VD_HAL_S_NODEV] = "no_device",
		[VD_HAL_S_DENIED] = "denied",
		[VD_HAL_S_FAULT] = "not_guest_memory",
		[VD_HAL_S_BUDGET] = "over_budget",
		[VD_HAL_S_FULL] = "too_many_mappings",
		[VD_HAL_S_DISCONTIG] = "discontiguous",
		[VD_HAL_S_MASK] = "above_mask",
		[VD_HAL_S_NOENT] = "no_mapping",
		[VD_HAL_S_NOMEM] = "no_memory",
		[VD_HAL_S_BUSY] = "busy",
	};
	json_t *j = json_object();

	for (int i = 0; i < 16; i++)
		if (name[i])
			set(j, name[i], s->status[i]);
	return j;
}

static json_t *hal_json(struct control_vm *v)
{
	struct vd_hal_stats s = { .size = sizeof(s) };
	json_t *j;

	if (!v->hal)
		return json_null();
	vd_hal_stats(v->hal, &s);
	j = json_object();
	set_bool(j, "in_charge", s.in_charge);
	set(j, "hellos", s.hellos);
	set(j, "requests", s.requests);
	set(j, "map_requests", s.map_requests);
	set(j, "unmap_requests", s.unmap_requests);
	set(j, "pin_requests", s.pin_requests);
	set(j, "segments", s.segs);
	set(j, "bad_accesses", s.bad_access);
	set(j, "bad_doorbells", s.bad_doorbell);
	json_object_set_new(j, "answers", answers_json(&s));
	return j;
}

static int run_counters(void *ctx, const json_t *args, json_t **result,
			struct control_error *e)
{
	struct control_vm *v = ctx;
	struct vd_domain_stats s = { .size = sizeof(s) };
	json_t *j;

	if (control_args(args, e, "{}"))
		return -1;
	vd_domain_stats(v->domain, &s);
	j = json_object();
	json_object_set_new(j, "domain", domain_json(&s));
	json_object_set_new(j, "hal", hal_json(v));
	json_object_set_new(j, "pins", control_pins_json(v->domain));
	json_object_set_new(j, "exits", exits_json(v));
	json_object_set_new(j, "devices", devices_json(v));
	return give(j, result, e);
}

static json_t *fault_json(struct control_vm *v, const struct vd_fault *f)
{
	json_t *j = json_object();
	struct vd_device_info info = { .size = sizeof(info) };
	char bdf[CONTROL_HOST_LEN] = "";

	/* It may be gone by now. */
	if (!vd_device_info(v->domain, f->guest_id, &info))
		control_host_name(info.host_id, bdf, sizeof(bdf));
	set(j, "guest_id", f->guest_id);
	say(j, "host", bdf);
	set_address(j, "bus", f->iova.v);
	say(j, "access", f->prot & VD_WRITE ? "write" : "read");
	say(j, "reason", vd_fault_reason_name(f->reason));
	return j;
}

static int run_faults(void *ctx, const json_t *args, json_t **result,
		      struct control_error *e)
{
	struct control_vm *v = ctx;
	json_int_t max = LIST_DEFAULT;
	struct vd_domain_stats s = { .size = sizeof(s) };
	json_t *list, *j;
	struct vd_fault f = { .size = sizeof(f) };

	if (control_args(args, e, "{s?I}", "max", &max) ||
	    check_page(0, max, e))
		return -1;
	list = json_array();
	for (; max > 0 && !vd_domain_next_fault(v->domain, &f); max--)
		json_array_append_new(list, fault_json(v, &f));
	vd_domain_stats(v->domain, &s);
	j = json_object();
	set(j, "total", s.nfaults);
	json_object_set_new(j, "faults", list);
	return give(j, result, e);
}

static int explain(int err, const struct vd_device_info *i,
		   struct control_error *e)
{
	char bdf[CONTROL_HOST_LEN];

	control_host_name(i->host_id, bdf, sizeof(bdf));
	switch (err) {
	case -ENODEV:
		return control_fail(e, CONTROL_NO_DEVICE,
				    "the device %s is gone", bdf);
	case -EBUSY:
		return control_fail(e, CONTROL_BUSY,
				    "%s is being quiesced; "
				    "try again",
				    bdf);
	case -EIO:
		return control_fail(e, CONTROL_NOT_QUIESCED,
				    "%s could not be "
				    "quiesced: it is denied and its pins are "
				    "kept; deny it again",
				    bdf);
	default:
		return control_fail(e, CONTROL_FAILED, "%s: %s", bdf,
				    strerror(-err));
	}
}

static int change(struct control_vm *v, const json_t *args, json_t **result,
		  struct control_error *e,
		  int (*how)(void *opaque, uint32_t guest_id))
{
	struct vd_device_info info = { .size = sizeof(info) };
	json_t *name;
	int err;

	if (control_args(args, e, "{s:o}", "device", &name) ||
	    find_device(v, name, &info, e))
		return -1;
	err = how(v->opaque, info.guest_id);
	if (!err)
		err = vd_device_info(v->domain, info.guest_id, &info);
	if (err)
		return explain(err, &info, e);
	return give(device_json(v, &info), result, e);
}

static int run_permit(void *ctx, const json_t *args, json_t **result,
		      struct control_error *e)
{
	struct control_vm *v = ctx;

	return change(v, args, result, e, v->ops->permit);
}

static int run_deny(void *ctx, const json_t *args, json_t **result,
		    struct control_error *e)
{
	struct control_vm *v = ctx;

	return change(v, args, result, e, v->ops->deny);
}

static int run_quit(void *ctx, const json_t *args, json_t **result,
		    struct control_error *e)
{
	struct control_vm *v = ctx;

	if (control_args(args, e, "{}"))
		return -1;
	v->ops->quit(v->opaque);
	return give(json_object(), result, e);
}

static int run_powerdown(void *ctx, const json_t *args, json_t **result,
			 struct control_error *e)
{
	struct control_powerdown s = { .listens = false };
	struct control_vm *v = ctx;
	json_t *j;

	if (control_args(args, e, "{}"))
		return -1;
	v->ops->powerdown(v->opaque, &s);
	j = json_object();
	set(j, "grace_ms", s.grace_ms);
	set(j, "left_ms", s.left_ms);
	set_bool(j, "listens", s.listens);
	return give(j, result, e);
}

/* DMA windows are of translation hardware, and this machine has none. */
static int run_no_windows(void *ctx, const json_t *args, json_t **result,
			  struct control_error *e)
{
	(void)ctx, (void)args, (void)result;
	return control_fail(e, CONTROL_NO_WINDOWS,
			    "this machine has no DMA windows: it runs without "
			    "an IOMMU");
}

static const struct control_command commands[] = {
	{ "status", "memory, pins, exits", run_status },
	{ "devices", "the assigned devices", run_devices },
	{ "mappings", "a device's mappings: device, from, max", run_mappings },
	{ "counters", "everything that is counted", run_counters },
	{ "faults", "take the recorded faults: max", run_faults },
	{ "permit", "let a device do DMA: device", run_permit },
	{ "deny", "forbid it and revoke its mappings: device", run_deny },
	{ "balloon", "memory that the guest gives back: bytes",
	  control_run_balloon },
	{ "budget", "how much may be pinned: bytes", control_run_budget },
	{ "why-pinned", "who keeps a page from being swapped: guest",
	  control_run_why_pinned },
	{ "pressure", "memory pressure on the host, and what came of it",
	  control_run_pressure },
	{ "windows", "none on this machine", run_no_windows },
	{ "window-show", "none on this machine", run_no_windows },
	{ "window-split", "none on this machine", run_no_windows },
	{ "window-merge", "none on this machine", run_no_windows },
	{ "window-lend", "none on this machine", run_no_windows },
	{ "window-take-back", "none on this machine", run_no_windows },
	{ "powerdown", "press the guest's power button, later pull the plug",
	  run_powerdown },
	{ "quit", "pull the plug", run_quit },
};

struct control_table control_vm_table(struct control_vm *v)
{
	return (struct control_table){
		.command = commands,
		.n = sizeof(commands) / sizeof(commands[0]),
		.ctx = v,
	};
}

void control_vm_cfg(struct control_vm *v, const char *path,
		    struct control_cfg *cfg)
{
	v->started = now_ms();
	v->swapped_peak = 0;
	*cfg = (struct control_cfg){
		.path = path,
		.version = VIADUCT_VERSION,
		.table = control_vm_table(v),
		.tick = tick,
		.tick_ms = TICK_MS,
	};
}
