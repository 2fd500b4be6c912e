// SPDX-License-Identifier: BSD-2-Clause
/* The command "balloon": see it, or set it first. */
#include "control_verbs.h"
#include <inttypes.h>

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
	if (v->ops->balloon(v->opaque, sets ? &target : NULL, &s))
		return control_fail(e, CONTROL_BAD_ARGUMENTS,
				    "the guest cannot give so much; at most "
				    "%" PRIu64 " bytes",
				    s.largest);
	*result = balloon_json(&s);
	return *result ? 0 : control_fail(e, CONTROL_FAILED, "out of memory");
}
