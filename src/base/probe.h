/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * probe.h - a place in the code that a tracer of the system (bpftrace, perf, gdb) can listen to.
 *
 * PROBE(name, id, at, argument) is a USDT probe "hostftl:name": one instruction that does nothing,
 * and a note in the program's file that says where it is and where its three values are. Nothing of
 * an operating system runs or is called. That is why this header may include <sys/sdt.h>, the only
 * one from outside that the core sees, and why it is the only file that does: it is a file format
 * in the form of macros, and the alternative is to write the same assembler here.
 *
 * A probe counts its listeners: the tracer adds one to a word of the program, which the note names.
 * All probes here share one word, probe_listeners, so that "does anybody listen to anything?" is
 * one load. PROBE_LISTENERS(name) gives a probe its name for that word, once, in the file that
 * defines the word.
 *
 * Without HFTL_PROBES (the header is not installed, or meson's option `probes` is off) there are no
 * probes, and the word stays 0.
 */
#ifndef HOSTFTL_BASE_PROBE_H
#define HOSTFTL_BASE_PROBE_H

#ifdef HFTL_PROBES
#define _SDT_HAS_SEMAPHORES 1
#include <sys/sdt.h>
#define PROBE(name, id, at, argument) DTRACE_PROBE3(hostftl, name, id, at, argument)
#define PROBE_LISTENERS(name)                                                                      \
    extern volatile unsigned short hostftl_##name##_semaphore                                      \
        __attribute__((alias("probe_listeners"), visibility("hidden")));
#define PROBE_WORD __attribute__((section(".probes"), visibility("hidden"), used))
#else
#define PROBE(name, id, at, argument) ((void)0)
#define PROBE_LISTENERS(name)
#define PROBE_WORD __attribute__((visibility("hidden")))
#endif

/* Written by tracers only. */
extern volatile unsigned short probe_listeners;

#endif
