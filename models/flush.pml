/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * flush.pml - group commit over two devices (FORMAT.md, O11; core/flush.c).
 *
 * A write is acknowledged when it is BUFFERED for one of two devices; later it LANDS there, volatile.
 * A flush that is asked for joins the round that begins next; a round ends the runs of both devices,
 * waits until what was buffered has landed, sends the medium flush of both, and answers its riders
 * when both have landed. A medium flush covers what had landed when it was sent (M4), and may fail:
 * then its riders fail, and so does every later flush (F2, C8).
 *
 * PROVED  When a flush is answered OK, every write that was acknowledged before it was asked for is
 *         durable. After a failed one none is answered OK. Every flush is answered (no state without
 *         an end has one that waits).
 *
 * PLANTED, each of which must fail:
 *   RIDES_THIS_ROUND  who comes while a round is under way is answered with it
 *   ONE_DEVICE        answered when the first device is done
 *   NOT_SETTLED       the medium flush is sent at once
 *   FORGETS           a failure fails its own riders only
 *   NOBODY_WAKES      the end of a round does not look for those who came meanwhile
 */
#ifndef WRITES
#define WRITES 3
#endif
#ifndef FLUSHES
#define FLUSHES 3
#endif

#define NONE 0
#define BUFFERED 1
#define LANDED 2
#define DURABLE 3

#define FIRST_MEDIUM 4 /* the pid of the first of the two */
#define IDLE 0
#define WAITING 1
#define RIDING 2
#define ANSWERED 3
#define FAILED 4

byte state[WRITES], device[WRITES];
bit ends[WRITES];    /* the round waits for it */
bit covered[WRITES]; /* it had landed when the medium flush of its device was sent */
byte written;

byte asked[FLUSHES];  /* IDLE ... */
byte before[FLUSHES]; /* writes acknowledged when it was asked for */
byte flushes;

bit round_failed, failed, ever_failed;
bit in_flight[2];
byte turn; /* of the round: 0 none, 1 settling, 2 synchronizing */
bit wake;

active proctype writer()
{
end:
    do
    :: atomic {
            written < WRITES ->
            if
            :: device[written] = 0
            :: device[written] = 1
            fi;
            state[written] = BUFFERED;
            written++
        }
    od
}

active proctype landing()
{
    byte i;
end:
    do
    :: atomic {
            if
            :: state[0] == BUFFERED -> i = 0
            :: state[1] == BUFFERED -> i = 1
            :: state[2] == BUFFERED -> i = 2
            fi;
            state[i] = LANDED;
            i = 0
        }
    od
}

active proctype client()
{
end:
    do
    :: atomic {
            flushes < FLUSHES ->
            before[flushes] = written;
            asked[flushes] = WAITING;
#ifdef RIDES_THIS_ROUND
            if
            :: turn > 0 -> asked[flushes] = RIDING
            :: else
            fi;
#endif
            flushes++;
            wake = 1
        }
    od
}

inline answer() {
    for (i : 0 .. FLUSHES - 1) {
        if
        :: asked[i] == RIDING ->
            if
            :: round_failed || failed -> asked[i] = FAILED
            :: else ->
                asked[i] = ANSWERED;
                for (j : 0 .. WRITES - 1) {
                    assert(j >= before[i] || state[j] == DURABLE)
                };
                assert(!ever_failed)
            fi
        :: else
        fi
    };
    j = 0;
#ifndef FORGETS
    failed = failed || round_failed;
#endif
    round_failed = 0;
    turn = 0;
    wake = 0;
#ifndef NOBODY_WAKES
    for (i : 0 .. FLUSHES - 1) {
        wake = wake || asked[i] == WAITING
    };
#endif
    i = 0
}

active proctype round()
{
    byte i, j;
end:
    do
    :: atomic { /* the runs end */
            wake ->
            wake = 0;
            turn = 1;
            for (i : 0 .. FLUSHES - 1) {
                if
                :: asked[i] == WAITING -> asked[i] = RIDING
                :: else
                fi
            };
            for (i : 0 .. WRITES - 1) { ends[i] = (state[i] == BUFFERED) };
            i = 0
        };
        atomic { /* settled: to both devices */
#ifndef NOT_SETTLED
            !(ends[0] && state[0] == BUFFERED) && !(ends[1] && state[1] == BUFFERED) &&
                !(ends[2] && state[2] == BUFFERED) ->
#endif
            for (i : 0 .. WRITES - 1) {
                ends[i] = 0;
                covered[i] = (state[i] == LANDED)
            };
            i = 0;
            turn = 2;
            in_flight[0] = 1;
            in_flight[1] = 1
        };
#ifdef ONE_DEVICE
        atomic {
            !in_flight[0] || !in_flight[1] -> answer()
        };
        !in_flight[0] && !in_flight[1]
#else
        atomic {
            !in_flight[0] && !in_flight[1] -> answer()
        }
#endif
    od
}

/* A medium: its flush lands, or fails and may have made durable what it likes. */
active [2] proctype medium()
{
    byte i;
    bit good;
end:
    do
    :: atomic {
            in_flight[_pid - FIRST_MEDIUM] ->
            if
            :: good = 1
            :: good = 0
            fi;
            for (i : 0 .. WRITES - 1) {
                if
                :: good && covered[i] && state[i] == LANDED && device[i] == _pid - FIRST_MEDIUM ->
                    state[i] = DURABLE
                :: else
                fi
            };
            if
            :: !good ->
                round_failed = 1;
                ever_failed = 1
            :: else
            fi;
            i = 0;
            good = 0;
            in_flight[_pid - FIRST_MEDIUM] = 0
        }
    od
}

/* Nothing moves any more, and somebody waits: he waits for ever. */
active proctype watch()
{
end:
    do
    :: d_step {
            timeout ->
            assert((asked[0] != WAITING && asked[0] != RIDING) &&
                   (asked[1] != WAITING && asked[1] != RIDING) &&
                   (asked[2] != WAITING && asked[2] != RIDING))
        }
    od
}
