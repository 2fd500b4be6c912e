/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The control socket of a running machine: a UNIX stream socket that speaks
 * control_proto.h, open to root and to the machine's own user.
 *
 * One thread serves all clients and runs their commands one at a time. Sockets
 * never block it: a client that sends half a line waits alone, one that does
 * not read its answer is not read from, and one that overruns a line's length
 * is answered and dropped. No vCPU ever waits for it. A command may sleep; the
 * other clients wait meanwhile.
 *
 * PATH.lock beside the socket is locked while the machine lives. That, and not
 * the socket's file, says whether a name is taken: what a killed machine left
 * is replaced, and two machines that start at once cannot both win.
 */
#ifndef VMM_CONTROL_H
#define VMM_CONTROL_H

#include "control_proto.h"

#define CONTROL_SUFFIX	 ".sock"
#define CONTROL_CLIENTS	 16
#define CONTROL_NAME_MAX 64

struct control;

/**
 * struct control_cfg - a control server
 * @path:    of the socket; its folder is made if only the last part lacks
 * @version: for the greeting
 * @table:   the commands; copied, but what it points to is borrowed
 * @tick:    called in the server's thread about every @tick_ms with the
 *           table's ctx; may be NULL
 */
struct control_cfg {
	const char *path;
	const char *version;
	struct control_table table;
	void (*tick)(void *ctx);
	int tick_ms;
};

/*
 * Begin to serve. Fork what must not hold the lock (the keeper) before this.
 * 0, or -errno and one sentence in @why:
 *  -EADDRINUSE    a live machine has this path
 *  -EEXIST        there is a file that is no socket
 *  -ENAMETOOLONG  the path does not fit into a socket address
 */
int control_create(const struct control_cfg *cfg, struct control **out,
		   char *why, size_t len);

/*
 * Stop: answers already made get a moment to leave, the socket goes away. No
 * command runs afterwards. Not from a command; NULL is fine.
 */
void control_destroy(struct control *c);

/*
 * The socket of the machine @name. -EINVAL: a name is 1 to 64 letters, digits,
 * ".", "_" and "-", and does not begin with a dot. -ENAMETOOLONG.
 */
int control_path(const char *dir, const char *name, char *path, size_t len);

/* Connect to @path as a client: the socket, or -errno; -EAGAIN: 10 s were not
 * enough. */
int control_connect(const char *path);

#endif
