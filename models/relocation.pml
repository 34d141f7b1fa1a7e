/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * relocation.pml - copy, durable, map, erase, while users write, read and flush (FORMAT.md, O8, O9;
 * core/relocation.c, erase.c, flush.c, stream_close.c).
 *
 * Bands of SLOTS places. A block is BUFFERED when its place is taken (its address is final, the map
 * points there at once), LANDED when the medium has it, DURABLE when a flush covered it. A band
 * becomes full, then is closed: all landed, medium flush. A mover reads what the map still points to
 * in a closed band and appends copies with the seq of the original to a band of its own; a band that
 * nothing points to is erased when nobody reads it and when the two clocks say that what emptied it
 * is durable.
 *
 * PROVED  The map always points to the newest version of an lba.
 *         Nobody who reads finds the band erased. (The mover stands for all readers.)
 *         A power cut at any moment, whatever it takes of what was not durable and of a band being
 *         erased, leaves of each lba a newest block (by seq) that is not older than the last flush
 *         that was answered promised.
 *
 * PLANTED, each of which must fail:
 *   NO_SECOND_LOOK     the map is switched without looking again after the read (L3)
 *   NOT_DURABLE        erased before what emptied it is durable (O8)
 *   OVERWRITE_VOLATILE the same for what users emptied only
 *   UNDER_READER       erased while somebody reads (B4)
 *   CLOCK_TOO_LATE     the clock that a flush calls durable is read after its data was (F1)
 */
#ifndef WRITES
#define WRITES 3 /* by users, in all */
#endif
#ifndef MOVES
#define MOVES 2 /* victims, in all */
#endif
#define BANDS 4
#define LBAS 2
#define SLOTS 1 /* a band is one block: more only make the states more */
#define PLACES 4 /* BANDS * SLOTS */
#define NONE 255

#define EMPTY 0
#define BUFFERED 1
#define LANDED 2
#define DURABLE 3

#define FREE 0
#define OPEN 1
#define CLOSING 2
#define CLOSED 3
#define ERASING 4

typedef block {
    byte lba, version, seq, state;
    bit ends, covered /* of the flush under way: it waits for it; it was there at the medium flush */
};
block place[PLACES];

typedef band_t {
    byte state, fill, readers, user_mark, relocation_mark;
    byte appended; /* the relocation clock of its last copy */
    bit relocation
};
band_t band[BANDS];

byte map[LBAS] = NONE;
byte latest[LBAS];  /* acknowledged */
byte floor_[LBAS];  /* promised */
byte pending[LBAS]; /* by the flush under way */
byte seq, writes, moves;
byte user_clock, user_durable, relocation_clock, relocation_durable;
byte open_user = NONE, open_relocation = NONE;

#define MUST_SURVIVE(p) (place[p].state == DURABLE && band[BAND_OF(p)].state != ERASING)
#define BAND_OF(p) ((p) / SLOTS)
#define IS_VALID(b)                                                                                \
    ((map[0] != NONE && BAND_OF(map[0]) == (b)) || (map[1] != NONE && BAND_OF(map[1]) == (b)))
#define FREE_COUNT                                                                                 \
    ((band[0].state == FREE) + (band[1].state == FREE) + (band[2].state == FREE) +                 \
     (band[3].state == FREE))

/* Takes the next place of the stream, in a band that is opened if there is none. */
inline open_band(stream, which) {
    if
    :: stream == NONE ->
        which = 0; /* which of them does not matter */
        do
        :: band[which].state != FREE -> which++
        :: else -> break
        od;
        stream = which;
        band[which].state = OPEN
    :: else -> which = stream
    fi
}

inline fill_place(at, which, of_lba, of_version, of_seq, stream) {
    at = which * SLOTS + band[which].fill;
    place[at].lba = of_lba;
    place[at].version = of_version;
    place[at].seq = of_seq;
    place[at].state = BUFFERED;
    band[which].fill++;
    if
    :: band[which].fill == SLOTS ->
        band[which].state = CLOSING;
        stream = NONE
    :: else
    fi
}

/* A stream closes one band at a time; who needs the next before that waits. */
#define IS_CLOSING(r)                                                                              \
    ((band[0].state == CLOSING && band[0].relocation == r) ||                                      \
     (band[1].state == CLOSING && band[1].relocation == r) ||                                      \
     (band[2].state == CLOSING && band[2].relocation == r) ||                                      \
     (band[3].state == CLOSING && band[3].relocation == r))

active proctype user()
{
    byte l, b, p;
end:
    do
    :: atomic {
            writes < WRITES && (open_user != NONE || (FREE_COUNT > 1 && !IS_CLOSING(0))) ->
            select (l : 0 .. LBAS - 1);
            open_band(open_user, b);
            band[b].relocation = 0;
            writes++;
            seq++;
            fill_place(p, b, l, writes, seq, open_user);
            user_clock++;
            if
            :: map[l] != NONE -> band[BAND_OF(map[l])].user_mark = user_clock
            :: else
            fi;
            map[l] = p;
            latest[l] = writes;
            b = 0;
            p = 0;
            l = 0
        }
    od
}

active proctype mover()
{
    byte victim, from, b, p, l, v, s;
end:
    do
    :: atomic {
            if
            :: moves < MOVES && band[0].state == CLOSED && IS_VALID(0) -> victim = 0
            :: moves < MOVES && band[1].state == CLOSED && IS_VALID(1) -> victim = 1
            :: moves < MOVES && band[2].state == CLOSED && IS_VALID(2) -> victim = 2
            :: moves < MOVES && band[3].state == CLOSED && IS_VALID(3) -> victim = 3
            fi;
            moves++;
            band[victim].readers++;
            from = victim * SLOTS
        };
        do
        :: atomic { from < (victim + 1) * SLOTS && map[place[from].lba] != from -> from++ }
        :: atomic { /* the read */
                from < (victim + 1) * SLOTS && map[place[from].lba] == from ->
                assert(band[victim].state == CLOSED);
                l = place[from].lba;
                v = place[from].version
            };
            if
            :: atomic {
                    !(open_relocation != NONE || (FREE_COUNT > 0 && !IS_CLOSING(1))) ->
                    from = NONE; /* gives the victim back: it may be long until there is room */
                    break
                }
            :: atomic {
                    (open_relocation != NONE || (FREE_COUNT > 0 && !IS_CLOSING(1))) ->
                    if
#ifndef NO_SECOND_LOOK
                    :: map[l] != from -> skip
                    :: map[l] == from ->
#else
                    :: true ->
#endif
                        open_band(open_relocation, b);
                        band[b].relocation = 1;
                        s = place[from].seq;
                        fill_place(p, b, l, v, s, open_relocation);
                        relocation_clock++;
                        band[b].appended = relocation_clock;
                        band[victim].relocation_mark = relocation_clock;
                        map[l] = p
                    fi;
                    from++
                }
            fi
        :: atomic { from == (victim + 1) * SLOTS -> break }
        od;
        atomic {
            assert(band[victim].state == CLOSED); /* B4: it was not erased meanwhile */
            band[victim].readers--;
            victim = 0;
            from = 0;
            b = 0;
            p = 0;
            l = 0;
            v = 0;
            s = 0
        }
    od
}

/* The medium takes what is buffered, in any order. */
active proctype landing()
{
    byte p;
end:
    do
    :: atomic {
            if
            :: place[0].state == BUFFERED -> p = 0
            :: place[1].state == BUFFERED -> p = 1
            :: place[2].state == BUFFERED -> p = 2
            :: place[3].state == BUFFERED -> p = 3
            fi;
            place[p].state = LANDED;
            p = 0
        }
    od
}

/* The end of a band: all has landed, medium flush. It makes its own copies durable, no more. */
active proctype closer()
{
    byte b;
end:
    do
    :: atomic {
            if
            :: band[0].state == CLOSING && place[0].state >= LANDED -> b = 0
            :: band[1].state == CLOSING && place[1].state >= LANDED -> b = 1
            :: band[2].state == CLOSING && place[2].state >= LANDED -> b = 2
            :: band[3].state == CLOSING && place[3].state >= LANDED -> b = 3
            fi;
            place[b * SLOTS].state = DURABLE;
            band[b].state = CLOSED;
            if
            :: band[b].relocation && band[b].appended > relocation_durable ->
                relocation_durable = band[b].appended
            :: else
            fi;
            b = 0
        }
    od
}

active proctype flush()
{
    byte p, user_target, relocation_target;
    bit all;
end:
    do
    :: atomic { /* the runs end */
            (user_durable < user_clock || relocation_durable < relocation_clock) ->
            if
            :: all = 1
            :: all = 0
            fi;
            user_target = user_clock;
            relocation_target = (all -> relocation_clock : 0);
            pending[0] = latest[0];
            pending[1] = latest[1];
            for (p : 0 .. PLACES - 1) {
                place[p].ends = (place[p].state == BUFFERED &&
                                 (all || band[BAND_OF(p)].relocation == 0))
            };
            p = 0
        };
        atomic { /* and settle; the medium flush is sent */
            (place[0].ends == 0 || place[0].state != BUFFERED) &&
                (place[1].ends == 0 || place[1].state != BUFFERED) &&
                (place[2].ends == 0 || place[2].state != BUFFERED) &&
                (place[3].ends == 0 || place[3].state != BUFFERED) ->
#ifdef CLOCK_TOO_LATE
            user_target = user_clock;
            relocation_target = (all -> relocation_clock : 0);
#endif
            for (p : 0 .. PLACES - 1) {
                place[p].ends = 0;
                place[p].covered = (place[p].state == LANDED)
            };
            p = 0
        };
        atomic { /* it lands, and is answered */
            for (p : 0 .. PLACES - 1) {
                if
                :: place[p].covered && place[p].state == LANDED -> place[p].state = DURABLE
                :: else
                fi;
                place[p].covered = 0
            };
            p = 0;
            user_durable = (user_target > user_durable -> user_target : user_durable);
            relocation_durable = (relocation_target > relocation_durable -> relocation_target
                                                                         : relocation_durable);
            floor_[0] = pending[0];
            floor_[1] = pending[1];
            pending[0] = 0;
            pending[1] = 0;
            user_target = 0;
            relocation_target = 0;
            all = 0
        }
    od
}

#ifdef UNDER_READER
#define UNREAD(b) true
#else
#define UNREAD(b) (band[b].readers == 0)
#endif
#ifdef NOT_DURABLE
#define OTHERS_DURABLE(b) true
#define USERS_DURABLE(b) true
#else
#define OTHERS_DURABLE(b) (band[b].relocation_mark <= relocation_durable)
#ifdef OVERWRITE_VOLATILE
#define USERS_DURABLE(b) true
#else
#define USERS_DURABLE(b) (band[b].user_mark <= user_durable)
#endif
#endif
#define MAY_ERASE(b)                                                                               \
    (band[b].state == CLOSED && !IS_VALID(b) && UNREAD(b) && USERS_DURABLE(b) && OTHERS_DURABLE(b))

active proctype eraser()
{
    byte b, p;
end:
    do
    :: atomic {
            if
            :: MAY_ERASE(0) -> b = 0
            :: MAY_ERASE(1) -> b = 1
            :: MAY_ERASE(2) -> b = 2
            :: MAY_ERASE(3) -> b = 3
            fi;
            band[b].state = ERASING
        };
        atomic {
            for (p : b * SLOTS .. b * SLOTS + SLOTS - 1) {
                place[p].state = EMPTY;
                place[p].lba = 0;
                place[p].version = 0;
                place[p].seq = 0;
                place[p].covered = 0;
                place[p].ends = 0
            };
            p = 0;
            band[b].fill = 0;
            band[b].user_mark = 0;
            band[b].relocation_mark = 0;
            band[b].appended = 0;
            band[b].relocation = 0;
            band[b].state = FREE;
            b = 0
        }
    od
}

/*
 * A cut here: what is durable is there, of the rest the adversary keeps what he likes. He wins if a
 * block that recovery would take, of the highest seq, is older than what was promised. This looks
 * and changes nothing, so it is done in every state.
 */
active proctype power()
{
    byte p, l, best, version;
end:
    do
    :: d_step {
            for (l : 0 .. LBAS - 1) {
                best = 0;
                version = 0;
                for (p : 0 .. PLACES - 1) {
                    if
                    :: MUST_SURVIVE(p) && place[p].lba == l && place[p].seq > best ->
                        best = place[p].seq;
                        version = place[p].version
                    :: else
                    fi
                };
                assert(version >= floor_[l]);
                for (p : 0 .. PLACES - 1) {
                    assert(place[p].state == EMPTY || place[p].lba != l || place[p].seq <= best ||
                           place[p].version >= floor_[l])
                };
                assert(map[l] == NONE ||
                       (place[map[l]].state != EMPTY && place[map[l]].lba == l &&
                        place[map[l]].version == latest[l]))
            };
            p = 0;
            l = 0;
            best = 0;
            version = 0
        }
    od
}
