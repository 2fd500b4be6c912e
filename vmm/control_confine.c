/* SPDX-License-Identifier: BSD-2-Clause */
/* What a machine and its keeper are confined to, as the kernel says it. */
#include "confine.h"
#include "control_verbs.h"
#include <stdio.h>
#include <sys/capability.h>

#define STATUS_LEN 4096

static json_t *names(uint64_t capabilities)
{
	json_t *list = json_array();

	for (cap_value_t c = 0; c < 64; c++) {
		char *name;

		if (!(capabilities >> c & 1))
			continue;
		name = cap_to_name(c);
		json_array_append_new(list, json_string(name ? name : "?"));
		cap_free(name);
	}
	return list;
}

/* null: the process is not there, or has not been looked at. */
static json_t *state(struct control_vm *v, const char *path)
{
	char text[STATUS_LEN];
	struct confine_state s;

	if (sysfs_read(&v->files, path, text, sizeof(text)))
		return json_null();
	confine_parse(text, &s);
	if (!s.known)
		return json_null();
	return json_pack("{s:i,s:o,s:b,s:b}", "uid", (int)s.uid, "capabilities",
			 names(s.capabilities), "no_new_privs", s.no_new_privs,
			 "seccomp", s.seccomp);
}

json_t *control_confine_json(struct control_vm *v)
{
	char path[48];

	snprintf(path, sizeof(path), "/proc/%d/status", (int)v->keeper);
	return json_pack("{s:o,s:o}", "machine", state(v, "/proc/self/status"),
			 "keeper", v->keeper ? state(v, path) : json_null());
}
