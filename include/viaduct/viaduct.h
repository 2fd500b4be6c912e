/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libviaduct: direct DMA for virtual machines.
 *
 * This header brings the engine: domains, devices, pins, windows, translation, bus
 * addresses, and the guest interfaces HAL and PAPR. By themselves stand
 * viaduct/calgary.h, policy.h and remote.h, which only some programs need.
 *
 * Stability. Version 0.x: a new minor version may change anything, so build with
 * the headers of the library that you run with. From 1.0 on a program that was compiled with an older header
 * runs with a newer library of the same major version. For that:
 *
 *  - handles are opaque;
 *  - a struct that crosses the border, but for those below, begins with its size:
 *    set it to sizeof. One that is shorter than the library's is taken as if it
 *    went on with zeros; one that is longer must be zero beyond what the library
 *    knows, or the call ends with -E2BIG and has changed nothing. What the library
 *    fills in, it fills up to that size, with zeros beyond what it knows. A size
 *    of none is -EINVAL, or, where a call cannot fail, the end of the process;
 *  - new members come at the end, and 0 in one means "as before";
 *  - elements of arrays and what is filled in for each access (vd_seg, vd_span,
 *    vd_sg, vd_sglist, vd_pin, vd_mapping, vd_target, vd_life, vd_entry), and the
 *    registers of a guest's call (vd_papr_hcall, vd_papr_rtas), have no size and
 *    never change.
 *
 * vd_version() says which library runs, VD_VERSION which header it was.
 *
 * Threads. Every function may be called from any thread at any time, but for
 * create and destroy of the same thing, and but for readers, caches of spaces and
 * policies, each of which is one thread's at a time. There is no global state.
 * Which lock a callback runs under stands where it is declared; docs/LOCKING.md has
 * the order of all of them.
 */
#ifndef VIADUCT_H
#define VIADUCT_H

#include <viaduct/adapter.h>
#include <viaduct/device.h>
#include <viaduct/domain.h>
#include <viaduct/fake.h>
#include <viaduct/hal.h>
#include <viaduct/host.h>
#include <viaduct/papr.h>
#include <viaduct/pins.h>
#include <viaduct/space.h>
#include <viaduct/translate.h>
#include <viaduct/types.h>
#include <viaduct/window.h>

#endif
