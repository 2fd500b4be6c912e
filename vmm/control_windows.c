/* SPDX-License-Identifier: BSD-2-Clause */
#include "control_windows.h"
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FAULTS_DEFAULT 256
#define FAULTS_MAX     1024

/* Numbers of JSON end at 2^63 - 1; addresses are words. */
static void set(json_t *j, const char *key, uint64_t v)
{
	json_object_set_new(
		j, key,
		json_integer(v > INT64_MAX ? INT64_MAX : (json_int_t)v));
}

static void set_address(json_t *j, const char *key, uint64_t v)
{
	char text[24];

	snprintf(text, sizeof(text), "0x%" PRIx64, v);
	json_object_set_new(j, key, json_string(text));
}

static const char *rights_word(unsigned int rights)
{
	static const char *const word[] = { "", "r", "w", "rw" };

	return word[rights & (VD_READ | VD_WRITE)];
}

static json_t *window_json(struct vd_adapter *a, const struct vd_window_info *w)
{
	json_t *j = json_object();
	uint64_t nlive = 0;

	vd_window_nlive(a, w->id, &nlive); /* it may be gone by now */
	set(j, "id", w->id);
	set(j, "owner", w->owner);
	set(j, "register", w->slot);
	set(j, "via", w->via);
	json_object_set_new(j, "lender",
			    w->lender == w->id ? json_null() :
						 json_integer(w->lender));
	set_address(j, "bus", w->bus.v);
	set_address(j, "table", w->table);
	set(j, "first", w->first);
	set(j, "entries", w->len);
	set(j, "live", nlive);
	set(j, "lent", w->lent);
	set(j, "page_bytes", (uint64_t)1 << w->page_shift);
	json_object_set_new(j, "rights", json_string(rights_word(w->rights)));
	return j;
}

static int give(json_t *j, json_t **result, struct control_error *e)
{
	if (!j)
		return control_fail(e, CONTROL_FAILED, "out of memory");
	*result = j;
	return 0;
}

/* The answer that shows these windows, as they are now. */
static int give_windows(struct control_windows *c, const uint32_t *id, size_t n,
			json_t **result, struct control_error *e)
{
	json_t *list = json_array();
	struct vd_window_info w = { .size = sizeof(w) };

	for (size_t i = 0; i < n; i++)
		if (!vd_window_query(c->adapter, id[i], &w))
			json_array_append_new(list,
					      window_json(c->adapter, &w));
	return give(json_pack("{s:o}", "windows", list), result, e);
}

/* Handles, owners and registers have 32 bits. */
static bool is_id(json_int_t v)
{
	return v >= 0 && v < UINT32_MAX;
}

static int check_ids(json_int_t a, json_int_t b, json_int_t d,
		     struct control_error *e)
{
	if (is_id(a) && is_id(b) && is_id(d))
		return 0;
	return control_fail(e, CONTROL_BAD_ARGUMENTS,
			    "a window or owner is a number below 4294967295");
}

static int parse_live(const char *word, enum vd_live *out,
		      struct control_error *e)
{
	static const char *const words[] = {
		[VD_LIVE_REFUSE] = "refuse",
		[VD_LIVE_REVOKE] = "revoke",
		[VD_LIVE_TRANSFER] = "transfer",
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcmp(word, words[i]) == 0) {
			*out = (enum vd_live)i;
			return 0;
		}
	}
	return control_fail(e, CONTROL_BAD_ARGUMENTS,
			    "\"live\" is refuse, revoke or transfer");
}

struct reason {
	int err;
	const char *class, *text;
};

static const struct reason reasons[] = {
	{ -ENOENT, CONTROL_NO_WINDOW, "there is no such window or owner" },
	{ -EBUSY, CONTROL_WINDOW_BUSY,
	  "valid entries, or a loan, are in the way" },
	{ -EINVAL, CONTROL_BAD_ARGUMENTS,
	  "the register cannot hold that, or the windows are no neighbours" },
	{ -ERANGE, CONTROL_BAD_ARGUMENTS, "the part goes beyond the window" },
	{ -EEXIST, CONTROL_FAILED,
	  "the id, or the bus addresses of the new owner, are taken" },
	{ -ENOSPC, CONTROL_FAILED, "no register is free" },
	{ -EXDEV, CONTROL_FAILED,
	  "the owners' memories differ: entries cannot be transferred" },
	{ -EIO, CONTROL_NOT_QUIESCED, "the adapter does not come to rest" },
};

static int explain(int err, struct control_error *e)
{
	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
		if (reasons[i].err == err)
			return control_fail(e, reasons[i].class, "%s",
					    reasons[i].text);
	return control_fail(e, CONTROL_FAILED, "%s", strerror(-err));
}

/* A handle that nobody has: there are more of them than registers. */
static uint32_t free_id(const struct control_windows *c)
{
	uint32_t id = c->first_id ? c->first_id : 1;
	struct vd_window_info w = { .size = sizeof(w) };

	while (vd_window_query(c->adapter, id, &w) == 0)
		id = id < UINT32_MAX - 1 ? id + 1 : 1;
	return id;
}

static uint32_t pressure(struct control_windows *c,
			 const struct vd_window_info *w)
{
	uint64_t nlive;

	if (vd_window_nlive(c->adapter, w->id, &nlive) || w->len == 0)
		return 0;
	return (uint32_t)((double)nlive * 1000 / (double)w->len);
}

/* How the window is before a change, for the record. */
static struct vd_policy_record before(struct control_windows *c, uint32_t id,
				      enum vd_policy_verb verb)
{
	struct vd_policy_record r = { .size = sizeof(r),
				      .cause = VD_POLICY_ADMIN,
				      .verb = verb,
				      .window = id };
	struct vd_window_info w = { .size = sizeof(w) };

	if (!vd_window_query(c->adapter, id, &w)) {
		r.pressure = pressure(c, &w);
		r.len = w.len;
	}
	return r;
}

/* Record what came of a change; 0, or -1 with the reason in @e. */
static int after(struct control_windows *c, struct vd_policy_record *r, int err,
		 struct control_error *e)
{
	r->result = err;
	c->ops->tried(c->opaque, r);
	return err ? explain(err, e) : 0;
}

static int run_list(void *ctx, const json_t *args, json_t **result,
		    struct control_error *e)
{
	struct control_windows *c = ctx;
	struct vd_window_info w = { .size = sizeof(w) };
	uint32_t slot;
	json_t *list;
	int err;

	if (control_args(args, e, "{}"))
		return -1;
	list = json_array();
	for (slot = 0; slot < VD_ADAPTER_MAX_REGS; slot++) {
		err = vd_window_show(c->adapter, slot, &w);
		if (err == -EINVAL)
			break;
		if (!err)
			json_array_append_new(list,
					      window_json(c->adapter, &w));
	}
	return give(json_pack("{s:o,s:I}", "windows", list, "registers",
			      (json_int_t)slot),
		    result, e);
}

static const char *result_word(int result)
{
	return result ? strerror(-result) : "ok";
}

static json_t *record_json(const struct vd_policy_record *r)
{
	json_t *j = json_object();

	set(j, "seq", r->seq);
	set(j, "ms", r->now_ms);
	json_object_set_new(j, "cause",
			    json_string(vd_policy_cause_name(r->cause)));
	json_object_set_new(j, "verb",
			    json_string(vd_policy_verb_name(r->verb)));
	set(j, "window", r->window);
	set(j, "part", r->part);
	set(j, "entries", r->len);
	set(j, "pressure", r->pressure);
	set(j, "rate", r->rate);
	json_object_set_new(j, "result", json_string(result_word(r->result)));
	return j;
}

static json_t *changes_json(struct control_windows *c, uint32_t id)
{
	struct vd_policy_record r = { .size = sizeof(r) };
	json_t *list = json_array();

	for (uint64_t seq = 0; c->ops->next(c->opaque, seq, &r) == 0;
	     seq = r.seq + 1)
		if (r.window == id || r.part == id)
			json_array_append_new(list, record_json(&r));
	return list;
}

static int run_show(void *ctx, const json_t *args, json_t **result,
		    struct control_error *e)
{
	struct control_windows *c = ctx;
	struct vd_window_info w = { .size = sizeof(w) };
	json_int_t id;
	int err;

	if (control_args(args, e, "{s:I}", "window", &id) ||
	    check_ids(id, 0, 0, e))
		return -1;
	err = vd_window_query(c->adapter, (uint32_t)id, &w);
	if (err)
		return explain(err, e);
	return give(json_pack("{s:[o],s:o}", "windows",
			      window_json(c->adapter, &w), "changes",
			      changes_json(c, w.id)),
		    result, e);
}

static int run_split(void *ctx, const json_t *args, json_t **result,
		     struct control_error *e)
{
	struct control_windows *c = ctx;
	json_int_t id, keep, owner, newid = free_id(c);
	const char *live = "refuse";
	struct vd_policy_record r = { .size = sizeof(r) };
	struct vd_split s = { .size = sizeof(s), .live = VD_LIVE_REFUSE };

	if (control_args(args, e, "{s:I,s:I,s:I,s?I,s?s}", "window", &id,
			 "keep", &keep, "owner", &owner, "id", &newid, "live",
			 &live) ||
	    check_ids(id, owner, newid, e) || parse_live(live, &s.live, e))
		return -1;
	s.id = (uint32_t)id;
	s.newid = (uint32_t)newid;
	s.owner = (uint32_t)owner;
	s.keep = keep < 0 ? 0 : (uint64_t)keep;
	r = before(c, s.id, VD_POLICY_SPLIT);
	r.part = s.newid;
	r.len = r.len > s.keep ? r.len - s.keep : 0;
	if (after(c, &r, vd_window_split(c->adapter, &s), e))
		return -1;
	return give_windows(c, (uint32_t[]){ s.id, s.newid }, 2, result, e);
}

static int run_merge(void *ctx, const json_t *args, json_t **result,
		     struct control_error *e)
{
	struct control_windows *c = ctx;
	json_int_t keep, clear, owner = -1;
	const char *live = "refuse";
	struct vd_policy_record r = { .size = sizeof(r) };
	struct vd_window_info w = { .size = sizeof(w) };
	struct vd_merge m = { .size = sizeof(m), .live = VD_LIVE_REFUSE };

	if (control_args(args, e, "{s:I,s:I,s?I,s?s}", "window", &keep, "with",
			 &clear, "owner", &owner, "live", &live) ||
	    check_ids(keep, clear, owner < 0 ? 0 : owner, e) ||
	    parse_live(live, &m.live, e))
		return -1;
	if (vd_window_query(c->adapter, (uint32_t)keep, &w))
		return explain(-ENOENT, e);
	m.keep = (uint32_t)keep;
	m.clear = (uint32_t)clear;
	m.owner = owner < 0 ? w.owner : (uint32_t)owner;
	r = before(c, m.clear, VD_POLICY_MERGE);
	r.window = m.keep;
	r.part = m.clear;
	if (after(c, &r, vd_window_merge(c->adapter, &m), e))
		return -1;
	return give_windows(c, &m.keep, 1, result, e);
}

static int run_lend(void *ctx, const json_t *args, json_t **result,
		    struct control_error *e)
{
	struct control_windows *c = ctx;
	json_int_t id, first, len, owner, newid = free_id(c);
	const char *live = "refuse";
	struct vd_policy_record r = { .size = sizeof(r) };
	struct vd_window_info w = { .size = sizeof(w) };
	struct vd_loan l = { .size = sizeof(l), .live = VD_LIVE_REFUSE };

	if (control_args(args, e, "{s:I,s:I,s:I,s:I,s?I,s?s}", "window", &id,
			 "first", &first, "entries", &len, "owner", &owner,
			 "id", &newid, "live", &live) ||
	    check_ids(id, owner, newid, e) || parse_live(live, &l.live, e))
		return -1;
	if (first < 0 || len < 0)
		return explain(-ERANGE, e);
	if (vd_window_query(c->adapter, (uint32_t)id, &w))
		return explain(-ENOENT, e);
	l.id = (uint32_t)id;
	l.newid = (uint32_t)newid;
	l.owner = (uint32_t)owner;
	l.rights = w.rights;
	l.first = (uint64_t)first;
	l.len = (uint64_t)len;
	r = before(c, l.id, VD_POLICY_LEND);
	r.part = l.newid;
	r.len = l.len;
	if (after(c, &r, vd_window_lend(c->adapter, &l), e))
		return -1;
	return give_windows(c, (uint32_t[]){ l.id, l.newid }, 2, result, e);
}

static int run_take_back(void *ctx, const json_t *args, json_t **result,
			 struct control_error *e)
{
	struct control_windows *c = ctx;
	const char *word = "refuse";
	struct vd_policy_record r = { .size = sizeof(r) };
	struct vd_window_info w = { .size = sizeof(w) };
	enum vd_live live = VD_LIVE_REFUSE;
	json_int_t id;
	int err;

	if (control_args(args, e, "{s:I,s?s}", "window", &id, "live", &word) ||
	    check_ids(id, 0, 0, e) || parse_live(word, &live, e))
		return -1;
	if (vd_window_query(c->adapter, (uint32_t)id, &w))
		return explain(-ENOENT, e);
	r = before(c, w.id, VD_POLICY_TAKE_BACK);
	r.window = w.lender;
	r.part = w.id;
	err = vd_window_take_back(c->adapter, w.id, live);
	if (after(c, &r, err, e))
		return -1;
	return give_windows(c, &w.lender, 1, result, e);
}

static json_t *fault_json(const struct vd_fault *f)
{
	json_t *j = json_object();

	set(j, "guest_id", f->guest_id);
	json_object_set_new(j, "host", json_string(""));
	set_address(j, "bus", f->iova.v);
	json_object_set_new(j, "access",
			    json_string(f->prot & VD_WRITE ? "write" : "read"));
	json_object_set_new(j, "reason",
			    json_string(vd_fault_reason_name(f->reason)));
	return j;
}

static int run_faults(void *ctx, const json_t *args, json_t **result,
		      struct control_error *e)
{
	struct control_windows *c = ctx;
	json_int_t max = FAULTS_DEFAULT;
	struct vd_adapter_stats s = { .size = sizeof(s) };
	struct vd_fault f = { .size = sizeof(f) };
	json_t *list;

	if (control_args(args, e, "{s?I}", "max", &max))
		return -1;
	if (max < 0 || max > FAULTS_MAX)
		return control_fail(e, CONTROL_BAD_ARGUMENTS,
				    "\"max\" is 0 to %d", FAULTS_MAX);
	list = json_array();
	for (; max > 0 && !vd_adapter_next_fault(c->adapter, &f); max--)
		json_array_append_new(list, fault_json(&f));
	vd_adapter_stats(c->adapter, &s);
	return give(json_pack("{s:I,s:o}", "total", (json_int_t)s.nfaults,
			      "faults", list),
		    result, e);
}

/* A device is named by its id on the adapter: a number, or one in a string. */
static int parse_device(json_t *j, uint32_t *out, struct control_error *e)
{
	const char *text = json_string_value(j);
	uint64_t v = VD_EVERY_DEVICE;

	if (json_is_integer(j) && is_id(json_integer_value(j)))
		v = (uint64_t)json_integer_value(j);
	if ((text && !control_number(text, &v)) || v >= VD_EVERY_DEVICE)
		return control_fail(e, CONTROL_NO_DEVICE,
				    "a device of an adapter is a number");
	*out = (uint32_t)v;
	return 0;
}

static int change(struct control_windows *c, const json_t *args,
		  json_t **result, struct control_error *e,
		  int (*how)(struct vd_adapter *a, uint32_t device))
{
	uint32_t device = 0;
	json_t *name;
	int err;

	if (control_args(args, e, "{s:o}", "device", &name) ||
	    parse_device(name, &device, e))
		return -1;
	err = how(c->adapter, device);
	if (err == -ENODEV)
		return control_fail(e, CONTROL_NO_DEVICE,
				    "there is no device %u",
				    (unsigned int)device);
	if (err)
		return explain(err, e);
	return give(json_pack("{s:I,s:s,s:s}", "guest_id", (json_int_t)device,
			      "host", "", "state",
			      how == vd_adapter_deny ? "denied" : "permitted"),
		    result, e);
}

static int run_permit(void *ctx, const json_t *args, json_t **result,
		      struct control_error *e)
{
	return change(ctx, args, result, e, vd_adapter_permit);
}

static int run_deny(void *ctx, const json_t *args, json_t **result,
		    struct control_error *e)
{
	return change(ctx, args, result, e, vd_adapter_deny);
}

static const struct control_command commands[] = {
	{ "faults", "take the recorded faults: max", run_faults },
	{ "permit", "let a device do DMA: device", run_permit },
	{ "deny", "forbid it: device", run_deny },
	{ "windows", "the DMA windows", run_list },
	{ "window-show", "one, and its changes: window", run_show },
	{ "window-split", "split: window, keep, owner, id, live", run_split },
	{ "window-merge", "merge: window, with, owner, live", run_merge },
	{ "window-lend", "lend: window, first, entries, owner, id, live",
	  run_lend },
	{ "window-take-back", "end a loan: window, live", run_take_back },
};

const struct control_command *control_windows_commands(size_t *n)
{
	*n = sizeof(commands) / sizeof(commands[0]);
	return commands;
}

struct control_table control_windows_table(struct control_windows *w)
{
	return (struct control_table){
		.command = commands,
		.n = sizeof(commands) / sizeof(commands[0]),
		.ctx = w,
	};
}
