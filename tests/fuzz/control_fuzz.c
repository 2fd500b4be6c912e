/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A hostile client of the control socket: any bytes are lines. Each is answered
 * by exactly one line, a JSON object with either "return" or "error", which
 * holds the id of a request that is JSON. The server cuts the lines and is
 * tested elsewhere; here it is the parser and the commands.
 */
#include "control_verbs.h"
#include "fuzz.h"
#include "stub_domain.h"
#include "stub_machine.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void must(bool ok)
{
	if (!ok)
		abort();
}

static int change(void *opaque, uint32_t guest_id)
{
	(void)opaque;
	must(guest_id == 8 || guest_id == 16);
	return 0;
}

static void quit(void *opaque)
{
	(void)opaque;
}

static void exits(void *opaque, void (*visit)(void *ctx, const char *cause, uint64_t count),
		  void *ctx)
{
	(void)opaque;
	visit(ctx, "serial", INT64_MAX);
	visit(ctx, "serial", 1);
}

static const struct control_vm_ops ops = { change,	    change,	    quit,	 exits,
					   stub_start_us,   stub_balloon,   stub_relief, stub_share,
					   stub_interrupts, stub_powerdown, stub_why };

static void check_answer(const char *line, size_t len, char *answer)
{
	json_t *a, *request = json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL);
	json_t *id = json_object_get(request, "id");

	must(answer && strchr(answer, '\n') == answer + strlen(answer) - 1);
	a = json_loads(answer, 0, NULL);
	must(json_is_object(a));
	must(!json_object_get(a, "return") != !json_object_get(a, "error"));
	must(!id || json_equal(id, json_object_get(a, "id")));
	json_decref(a);
	json_decref(request);
	free(answer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const char *line = (const char *)data, *end;
	struct vd_domain domain;
	struct vd_hal hal;
	struct control_vm vm = {
		.name = "fuzz", .domain = &domain, .hal = &hal, .ops = &ops, .ram_len = 1 << 20
	};
	struct control_table table = control_vm_table(&vm);
	size_t n;

	stub_domain_init(&domain, &hal);
	for (; len; line += n, len -= n) {
		end = memchr(line, '\n', len);
		n = end ? (size_t)(end - line) + 1 : len;
		check_answer(line, n - (end != NULL),
			     control_answer(&table, line, n - (end != NULL)));
	}
	return 0;
}
