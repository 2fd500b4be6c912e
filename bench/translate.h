/* SPDX-License-Identifier: BSD-2-Clause */
/* The parts of bench-translate. */
#ifndef BENCH_TRANSLATE_H
#define BENCH_TRANSLATE_H

#include "field.h"

/* G3, G4: two threads. @field: 1e6 pages. */
void translate_pair(struct field *field);

/* G6: scatter lists and large pages. */
void translate_list(void);

#endif
