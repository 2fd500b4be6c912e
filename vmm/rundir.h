/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where machines leave what others look for: control sockets, their locks, the
 * host's budget. Root's are the system's; anybody else has a folder of his own,
 * which the login makes and removes.
 */
#ifndef VMM_RUNDIR_H
#define VMM_RUNDIR_H

#include <stddef.h>

#define RUNDIR_ROOT "/run/viaduct"
#define RUNDIR_LEN  80 /* leaves room for a name in a socket's address */

/*
 * The folder of who runs this: RUNDIR_ROOT for root, else
 * $XDG_RUNTIME_DIR/viaduct, else /run/user/UID/viaduct. It need not be there;
 * what is above it must. 0, or -ENAMETOOLONG.
 */
int rundir(char *path, size_t len);

#endif
