/* SPDX-License-Identifier: BSD-2-Clause */
/* The parts of bench-window. */
#ifndef BENCH_WINDOW_H
#define BENCH_WINDOW_H

/* G10: memory. First: it looks at what the process has. */
void window_memory(void);

/* G5: one page mapped, one page unmapped. */
void window_map(void);

/* G11, G20: lists of entries. */
void window_list(void);

/* G11: split and merge. */
void window_split(void);

/* G11: addresses for what is to be mapped. */
void window_space(void);

#endif
