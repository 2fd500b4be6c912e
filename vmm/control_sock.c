/* SPDX-License-Identifier: BSD-2-Clause */
#include "control_sock.h"
#include "control.h"
#include "lockfile.h"
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG	  8
#define CONNECT_S 10

_Static_assert(sizeof(((struct control_sock *)0)->path) ==
		       sizeof(((struct sockaddr_un *)0)->sun_path),
	       "a path fits when it fits into an address");

static bool is_name(const char *name)
{
	size_t len = strlen(name);

	for (const char *p = name; *p; p++)
		if (!isalnum((unsigned char)*p) && !strchr("._-", *p))
			return false;
	return len > 0 && len <= CONTROL_NAME_MAX && name[0] != '.';
}

int control_path(const char *dir, const char *name, char *path, size_t len)
{
	int n;

	if (!is_name(name))
		return -EINVAL;
	n = snprintf(path, len, "%s/%s" CONTROL_SUFFIX, dir, name);
	return n < 0 || (size_t)n >= len ? -ENAMETOOLONG : 0;
}

static int set_address(struct sockaddr_un *a, const char *path)
{
	memset(a, 0, sizeof(*a));
	a->sun_family = AF_UNIX;
	if (strlen(path) >= sizeof(a->sun_path))
		return -ENAMETOOLONG;
	memcpy(a->sun_path, path, strlen(path) + 1);
	return 0;
}

int control_connect(const char *path)
{
	const struct timeval wait = { .tv_sec = CONNECT_S };
	struct sockaddr_un a;
	int fd, err;

	err = set_address(&a, path);
	if (err)
		return err;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	/* A machine that is stopped does not accept. */
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait));
	if (connect(fd, (struct sockaddr *)&a, sizeof(a))) {
		err = -errno;
		close(fd);
		return err;
	}
	return fd;
}

static void lock_path(const struct control_sock *s, char *path, size_t len)
{
	snprintf(path, len, "%s.lock", s->path);
}

static int take_lock(struct control_sock *s)
{
	char path[sizeof(s->path) + 8];

	lock_path(s, path, sizeof(path));
	s->lock = lockfile_take(path);
	if (s->lock < 0)
		return s->lock == -EBUSY ? -EADDRINUSE : s->lock;
	return 0;
}

/* Under the lock: what is there was left by a machine that was killed. */
static int remove_stale(const struct control_sock *s)
{
	struct stat st;

	if (lstat(s->path, &st))
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode))
		return -EEXIST;
	return unlink(s->path) ? -errno : 0;
}

static int start_listening(struct control_sock *s)
{
	struct sockaddr_un a;
	int err;

	err = remove_stale(s);
	if (err)
		return err;
	set_address(&a, s->path); /* control_sock_open() saw that it fits */
	s->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (s->fd < 0)
		return -errno;
	/* Before bind(2), which takes the file's mode from the socket's. */
	if (fchmod(s->fd, 0600) ||
	    bind(s->fd, (struct sockaddr *)&a, sizeof(a)) ||
	    listen(s->fd, BACKLOG))
		return -errno;
	return 0;
}

static void make_folder(const char *path)
{
	char dir[sizeof(((struct control_sock *)0)->path)];
	char *slash;

	snprintf(dir, sizeof(dir), "%s", path);
	slash = strrchr(dir, '/');
	if (!slash || slash == dir)
		return;
	*slash = '\0';
	mkdir(dir, 0755); /* open() tells if this was in vain */
}

static int explain(int err, const char *path, char *why, size_t len)
{
	if (err == -EADDRINUSE)
		snprintf(why, len,
			 "a virtual machine that runs has the "
			 "control socket %s; choose another --name",
			 path);
	else if (err == -EEXIST)
		snprintf(why, len, "%s is there and is no socket", path);
	else if (err == -ENAMETOOLONG)
		snprintf(why, len,
			 "the path of the control socket is too "
			 "long: %s",
			 path);
	else if (err == -ENOENT)
		snprintf(why, len,
			 "there is no folder for the control socket %s (a "
			 "user's comes with a login session); choose another "
			 "place with --control",
			 path);
	else
		snprintf(why, len, "cannot make the control socket %s: %s; %s",
			 path, strerror(-err),
			 err == -EMFILE || err == -ENFILE ?
				 "raise ulimit -n" :
				 "choose another place with --control");
	return err;
}

int control_sock_open(struct control_sock *s, const char *path, char *why,
		      size_t len)
{
	int err;

	s->lock = s->fd = -1;
	s->owner = geteuid();
	if (strlen(path) >= sizeof(s->path))
		return explain(-ENAMETOOLONG, path, why, len);
	snprintf(s->path, sizeof(s->path), "%s", path);
	make_folder(path);
	err = take_lock(s);
	if (!err)
		err = start_listening(s);
	if (!err)
		return 0;
	control_sock_close(s);
	return explain(err, path, why, len);
}

void control_sock_close(struct control_sock *s)
{
	char path[sizeof(s->path) + 8];

	lock_path(s, path, sizeof(path));
	if (s->fd >= 0) {
		unlink(s->path);
		close(s->fd);
	}
	if (s->lock >= 0) {
		unlink(path);
		close(s->lock);
	}
	s->fd = s->lock = -1;
}

void control_sock_remove(const char *path)
{
	struct control_sock s = { .lock = -1, .fd = -1 };
	char lock[sizeof(s.path) + 8];

	snprintf(s.path, sizeof(s.path), "%s", path);
	if (take_lock(&s))
		return; /* another machine has it */
	lock_path(&s, lock, sizeof(lock));
	remove_stale(&s);
	unlink(lock);
	close(s.lock);
}

bool control_sock_allows(const struct control_sock *s, int fd)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len))
		return false;
	return peer.uid == 0 || peer.uid == s->owner;
}
