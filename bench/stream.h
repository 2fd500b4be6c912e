/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Streams of look-ups: by the engine, by the references. Each returns ns for
 * one look-up. Independent ones overlap in the processor; of dependent ones
 * each needs the answer of the one before to know what to ask.
 */
#ifndef BENCH_STREAM_H
#define BENCH_STREAM_H

#include "field.h"

/* In bursts of WORLD_BURST, and each as a burst of its own. */
double stream_engine(void *field);
double stream_engine_long(void *field); /* four times as many */
double stream_engine_dependent(void *field);
double stream_pages(void *field); /* each burst in one call */
double stream_once(void *field);
double stream_once_dependent(void *field);

/* One page again and again. */
double stream_repeat(void *field);

double stream_radix(void *field);
double stream_radix_dependent(void *field);
double stream_ranges(void *field);
double stream_ranges_dependent(void *field);

/* A load that hits the first cache and needs the one before it. */
double stream_load(void *unused);

/* What a reader's announcement costs at least: a store and a fence. */
double stream_fence(void *unused);

/* Answers go there, so that nobody leaves the questions out. */
extern volatile uint64_t stream_sink;

#endif
