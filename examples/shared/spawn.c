/* SPDX-License-Identifier: BSD-2-Clause */
#include "spawn.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

bool spawn_can(void)
{
	const char *path = getenv("PATH");
	char *copy = strdup(path ? path : "/usr/bin"), *rest = copy, *dir;
	char file[4096];
	bool found = false;

	while (copy && !found && (dir = strsep(&rest, ":"))) {
		snprintf(file, sizeof(file), "%s/" SPAWN_QEMU, dir);
		found = access(file, X_OK) == 0;
	}
	free(copy);
	return found;
}

/* Its warnings (no MSI-X in this machine) are not the user's. */
static void become(const char *disk, int fd)
{
	char drive[4096], object[64];
	int null = open("/dev/null", O_WRONLY);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	snprintf(drive, sizeof(drive),
		 "if=none,id=n0,format=raw,cache=writethrough,file=%s", disk);
	snprintf(object, sizeof(object), "x-remote-object,id=r0,devid=d0,fd=%d",
		 fd);
	fcntl(fd, F_SETFD, 0);
	dup2(null, STDERR_FILENO);
	execlp(SPAWN_QEMU, SPAWN_QEMU, "-machine", "x-remote", "-nodefaults",
	       "-display", "none", "-monitor", "none", "-drive", drive,
	       "-device", "nvme,serial=viaduct,drive=n0,id=d0", "-object",
	       object, (char *)NULL);
	_exit(127);
}

int spawn_nvme(const char *disk, int *fd, pid_t *pid)
{
	int pair[2], err;
	pid_t child;

	if (strchr(disk, ','))
		return -EINVAL; /* would be another option of the drive */
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		return -errno;
	child = fork();
	if (child < 0) {
		err = -errno;
		close(pair[0]);
		close(pair[1]);
		return err;
	}
	if (child == 0)
		become(disk, pair[1]);
	close(pair[1]);
	*fd = pair[0];
	*pid = child;
	return 0;
}

void spawn_reap(pid_t pid)
{
	for (int i = 0; i < 200; i++) {
		if (waitpid(pid, NULL, WNOHANG) == pid)
			return;
		poll(NULL, 0, 10);
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}
