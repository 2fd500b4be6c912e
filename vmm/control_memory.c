/* SPDX-License-Identifier: BSD-2-Clause */
/* Commands about who has how much memory: balloon, budget, pressure. */
#include "control_verbs.h"
#include <inttypes.h>
#include <string.h>

static int give(json_t *j, json_t **result, struct control_error *e)
{
	*result = j;
	return j ? 0 : control_fail(e, CONTROL_FAILED, "out of memory");
}

/* All that is counted in bytes is far below 2^63. */
static json_t *balloon_json(const struct balloon_stats *s)
{
	return json_pack("{s:b,s:b,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I}",
			 "driver", s->driver, "reporting", s->reporting,
			 "target_bytes", (json_int_t)s->target, "actual_bytes",
			 (json_int_t)s->actual, "largest_bytes",
			 (json_int_t)s->largest, "inflated_bytes",
			 (json_int_t)s->inflated, "deflated_bytes",
			 (json_int_t)s->deflated, "reported_bytes",
			 (json_int_t)s->reported, "discarded_bytes",
			 (json_int_t)s->discarded, "refused_pinned_bytes",
			 (json_int_t)s->refused_pinned, "refused_other_bytes",
			 (json_int_t)s->refused_other, "broken_queues",
			 (json_int_t)s->broken);
}

int control_run_balloon(void *ctx, const json_t *args, json_t **result,
			struct control_error *e)
{
	struct control_vm *v = ctx;
	struct balloon_stats s;
	json_int_t bytes = -1;
	uint64_t target;
	bool sets = json_object_get(args, "bytes");

	if (control_args(args, e, "{s?I}", "bytes", &bytes))
		return -1;
	if (sets && bytes < 0)
		return control_fail(e, CONTROL_BAD_ARGUMENTS,
				    "\"bytes\" must not be negative");
	target = (uint64_t)bytes;
	if (sets && target && target < VD_PAGE_SIZE)
		return control_fail(e, CONTROL_BAD_ARGUMENTS,
				    "%" PRIu64 " bytes are less than a page; "
				    "0 takes all again",
				    target);
	if (v->ops->balloon(v->opaque, sets ? &target : NULL, &s))
		return control_fail(e, CONTROL_BAD_ARGUMENTS,
				    "the guest cannot give so much; at most "
				    "%" PRIu64 " bytes",
				    s.largest);
	return give(balloon_json(&s), result, e);
}

/* The host's budget; null: no part in it. */
static json_t *share_json(const struct share_stats *s)
{
	if (!s->on)
		return json_null();
	return json_pack("{s:I,s:I,s:I,s:i}", "budget_bytes",
			 (json_int_t)s->limit, "taken_bytes",
			 (json_int_t)s->taken, "ours_bytes",
			 (json_int_t)s->ours, "machines", (int)s->machines);
}

static json_t *budget_json(const struct vd_domain_stats *s)
{
	json_t *j = json_pack("{s:I,s:I,s:I}", "pinned_bytes",
			      (json_int_t)s->pinned, "pinned_peak_bytes",
			      (json_int_t)s->pinned_peak, "refused_budget",
			      (json_int_t)s->refused_budget);

	json_object_set_new(j, "budget_bytes",
			    s->budget == UINT64_MAX ?
				    json_null() :
				    json_integer((json_int_t)s->budget));
	return j;
}

/*
 * Null means no limit; 0 would read as "nothing", and what is below a granule
 * is nothing: both are refused.
 */
static int set_budget(struct control_vm *v, const json_t *bytes,
		      struct control_error *e)
{
	json_int_t n = json_integer_value(bytes);

	if (!json_is_null(bytes) && (!json_is_integer(bytes) || n <= 0))
		return control_fail(e, CONTROL_BAD_ARGUMENTS,
				    "\"bytes\" is a number above 0, or null "
				    "for no limit");
	if (n > 0 && (uint64_t)n < v->granule)
		return control_fail(e, CONTROL_BAD_ARGUMENTS,
				    "%" JSON_INTEGER_FORMAT
				    " bytes are less than one granule of "
				    "%" PRIu64 ", so nothing could be pinned",
				    n, v->granule);
	vd_domain_set_budget(v->domain, (uint64_t)n);
	return 0;
}

int control_run_budget(void *ctx, const json_t *args, json_t **result,
		       struct control_error *e)
{
	struct control_vm *v = ctx;
	struct vd_domain_stats s = { .size = sizeof(s) };
	struct share_stats share;
	json_t *bytes = NULL, *j;

	if (control_args(args, e, "{s?o}", "bytes", &bytes) ||
	    (bytes && set_budget(v, bytes, e)))
		return -1;
	vd_domain_stats(v->domain, &s);
	v->ops->share(v->opaque, &share);
	j = budget_json(&s);
	json_object_set_new(j, "host", share_json(&share));
	return give(j, result, e);
}

static json_t *sources_json(const struct relief_stats *s)
{
	json_t *j = json_object();

	for (int i = 0; i < PRESSURE_KINDS; i++)
		if (s->source[i])
			json_object_set_new(
				j, pressure_kind_name((enum pressure_kind)i),
				json_integer((json_int_t)s->events[i]));
	return j;
}

int control_run_pressure(void *ctx, const json_t *args, json_t **result,
			 struct control_error *e)
{
	struct control_vm *v = ctx;
	struct relief_stats s;

	if (control_args(args, e, "{}"))
		return -1;
	v->ops->relief(v->opaque, &s);
	return give(json_pack("{s:b,s:o,s:I,s:I,s:I,s:I}", "on", s.on, "events",
			      sources_json(&s), "requests",
			      (json_int_t)s.requests, "unpinned_bytes",
			      (json_int_t)s.unpinned, "paged_out_bytes",
			      (json_int_t)s.paged_out, "hot_bytes",
			      (json_int_t)s.hot),
		    result, e);
}
