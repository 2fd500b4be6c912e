/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl_client.h"
#include "control.h"
#include "exit.h"
#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define ANSWER_S 60 /* a device may take its time to be quiesced */

static int say_unreachable(int err, const char *path, char *why, size_t len)
{
	if (err == -EACCES || err == -EPERM)
		snprintf(why, len, "may not use %s; run this as root", path);
	else if (err == -ENOENT || err == -ECONNREFUSED)
		snprintf(why, len, "no virtual machine answers at %s", path);
	else if (err == -EAGAIN) /* its queue of connections is full */
		snprintf(why, len,
			 "%s does not answer; is its process stopped?", path);
	else
		snprintf(why, len, "cannot connect to %s: %s", path,
			 strerror(-err));
	return CLI_UNREACHABLE;
}

struct found {
	char path[256];	 /* of the last */
	char names[512]; /* of all, for the sentence */
	unsigned int n;
};

static bool is_socket_name(const char *file, char *name, size_t len)
{
	size_t n = strlen(file), suffix = strlen(CONTROL_SUFFIX);

	if (n <= suffix || n - suffix >= len ||
	    strcmp(file + n - suffix, CONTROL_SUFFIX))
		return false;
	memcpy(name, file, n - suffix);
	name[n - suffix] = '\0';
	return true;
}

/* One that we may not talk to is a machine as well. */
static bool is_live(const char *path)
{
	int fd = control_connect(path);

	if (fd >= 0)
		close(fd);
	return fd >= 0 || fd == -EACCES || fd == -EPERM;
}

static int look_at(const char *dir, const char *file,
		   int (*fn)(void *ctx, const char *name, const char *path),
		   void *ctx)
{
	char name[CONTROL_NAME_MAX + 1], path[256];

	if (!is_socket_name(file, name, sizeof(name)) ||
	    control_path(dir, name, path, sizeof(path)) || !is_live(path))
		return 0;
	return fn(ctx, name, path);
}

int ctl_each(const char *dir,
	     int (*fn)(void *ctx, const char *name, const char *path),
	     void *ctx)
{
	struct dirent **list;
	int n = scandir(dir, &list, NULL, alphasort), end = 0;

	if (n < 0)
		return errno == ENOENT ? 0 : -errno;
	for (int i = 0; i < n; i++) {
		if (!end)
			end = look_at(dir, list[i]->d_name, fn, ctx);
		free(list[i]);
	}
	free(list);
	return end;
}

static int note_machine(void *ctx, const char *name, const char *path)
{
	struct found *f = ctx;
	size_t used = strlen(f->names);

	snprintf(f->path, sizeof(f->path), "%s", path);
	snprintf(f->names + used, sizeof(f->names) - used, "%s%s",
		 f->n ? ", " : "", name);
	f->n++;
	return 0;
}

static int find_name(const char *dir, const char *name, char *path, size_t len,
		     char *why, size_t whylen)
{
	if (!control_path(dir, name, path, len))
		return CLI_OK;
	snprintf(why, whylen, "impossible name: %s", name);
	return CLI_USAGE;
}

int ctl_find(const char *dir, const char *name, const char *socket, char *path,
	     size_t len, char *why, size_t whylen)
{
	struct found f = { .n = 0 };
	int err;

	if (socket) {
		snprintf(path, len, "%s", socket);
		return CLI_OK;
	}
	if (name)
		return find_name(dir, name, path, len, why, whylen);
	err = ctl_each(dir, note_machine, &f);
	if (err)
		return say_unreachable(err, dir, why, whylen);
	if (f.n == 1) {
		snprintf(path, len, "%s", f.path);
		return CLI_OK;
	}
	if (f.n) {
		snprintf(why, whylen,
			 "several virtual machines run: %s; "
			 "choose one with --name",
			 f.names);
		return CLI_USAGE;
	}
	snprintf(why, whylen, "no virtual machine runs (no live socket in %s)",
		 dir);
	return CLI_UNREACHABLE;
}

/* A line as JSON; NULL if there was none. */
static json_t *read_line(struct ctl_client *c)
{
	char *line = NULL;
	size_t room = 0;
	ssize_t n = getline(&line, &room, c->in);
	json_t *j = NULL;

	if (n > 0)
		j = json_loadb(line, (size_t)n, JSON_DECODE_ANY, NULL);
	free(line);
	return j;
}

/* After a line that did not come: is the other side there, and says nothing? */
static bool is_silent(const struct ctl_client *c)
{
	return ferror(c->in) && (errno == EAGAIN || errno == EWOULDBLOCK);
}

static int check_greeting(struct ctl_client *c, char *why, size_t len)
{
	json_t *j = read_line(c);
	const char *refused = NULL;
	int protocol, status = CLI_OK;

	if (!j && is_silent(c)) {
		snprintf(why, len,
			 "%s: no answer within %d s; is its process stopped?",
			 c->path, ANSWER_S);
		status = CLI_UNREACHABLE;
	} else if (!j || json_unpack(j, "{s:{s:i}}", "viaduct", "protocol",
				     &protocol)) {
		json_unpack(j, "{s:{s:s}}", "error", "desc", &refused);
		snprintf(why, len, "%s: %s", c->path,
			 refused ? refused :
				   "what answers is no virtual machine of "
				   "viaduct's");
		status = refused ? CLI_FAILED : CLI_UNREACHABLE;
	} else if (protocol != CONTROL_PROTOCOL) {
		snprintf(why, len,
			 "%s speaks protocol %d and this program %d; "
			 "use the viaduct that runs the machine",
			 c->path, protocol, CONTROL_PROTOCOL);
		status = CLI_FAILED;
	}
	json_decref(j);
	return status;
}

int ctl_open(struct ctl_client *c, const char *path, char *why, size_t len)
{
	struct timeval t = { .tv_sec = ANSWER_S };
	int status;

	c->path = path;
	c->in = NULL;
	c->fd = control_connect(path);
	if (c->fd < 0)
		return say_unreachable(c->fd, path, why, len);
	setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t));
	c->in = fdopen(c->fd, "r");
	if (!c->in) {
		snprintf(why, len, "out of memory");
		close(c->fd);
		return CLI_FAILED;
	}
	status = check_greeting(c, why, len);
	if (status != CLI_OK)
		ctl_close(c);
	return status;
}

void ctl_close(struct ctl_client *c)
{
	if (c->in)
		fclose(c->in);
	c->in = NULL;
}

/* Takes @j. */
static int send_json(struct ctl_client *c, json_t *j)
{
	char *text = json_dumps(j, JSON_COMPACT);
	size_t len, sent = 0;
	ssize_t n = 0;

	json_decref(j);
	if (!text)
		return -1;
	len = strlen(text);
	text[len] = '\n'; /* what is sent needs no 0 at its end */
	while (sent <= len && n >= 0) {
		n = send(c->fd, text + sent, len + 1 - sent, MSG_NOSIGNAL);
		if (n > 0)
			sent += (size_t)n;
	}
	free(text);
	return n < 0 ? -1 : 0;
}

/* A sentence if the answer is an error. Takes @answer. */
static int take_answer(struct ctl_client *c, json_t *answer, json_t **result,
		       char *why, size_t len)
{
	bool silent = !answer && is_silent(c);
	const char *desc, *class;
	int status = CLI_OK;

	*result = json_object_get(answer, "return");
	if (*result) {
		json_incref(*result);
	} else if (!json_unpack(answer, "{s:{s:s,s:s}}", "error", "desc", &desc,
				"class", &class)) {
		snprintf(why, len, "%s", desc);
		status = strcmp(class, CONTROL_NO_WINDOWS) ? CLI_FAILED :
							     CLI_NO_WINDOWS;
	} else {
		snprintf(why, len, "%s: the virtual machine %s", c->path,
			 silent ? "does not answer; is its process stopped?" :
				  "went away before it answered");
		status = CLI_UNREACHABLE;
	}
	json_decref(answer);
	return status;
}

int ctl_ask(struct ctl_client *c, const char *command, json_t *args,
	    json_t **result, char *why, size_t len)
{
	json_t *request = json_pack("{s:s}", "execute", command);

	if (args)
		json_object_set_new(request, "arguments", args);
	/* If it cannot be sent, what comes back says so. */
	send_json(c, request);
	return take_answer(c, read_line(c), result, why, len);
}
