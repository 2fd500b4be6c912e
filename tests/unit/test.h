/* SPDX-License-Identifier: BSD-2-Clause */
/* cmocka with the headers that it wants before it. */
#ifndef UNIT_TEST_H
#define UNIT_TEST_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* After those. */
#include <cmocka.h>
#include <container.h>

#define run_all(t) cmocka_run_group_tests((t), NULL, NULL)

#endif
