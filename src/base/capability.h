/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the compiler is told about locks: clang checks at compile time that a
 * function marked MUST_HOLD(x) is called with x taken. gcc ignores it.
 */
#ifndef BASE_CAPABILITY_H
#define BASE_CAPABILITY_H

#ifdef __clang__
#define LOCK_ATTR(x) __attribute__((x))
#else
#define LOCK_ATTR(x)
#endif
#define MUST_HOLD(l)	 LOCK_ATTR(requires_capability(l))
#define MUST_NOT_HOLD(l) LOCK_ATTR(locks_excluded(l))
#define TAKES(l)	 LOCK_ATTR(acquire_capability(l))
#define DROPS(l)	 LOCK_ATTR(release_capability(l))
#define LOCK_UNCHECKED	 LOCK_ATTR(no_thread_safety_analysis)

#endif
