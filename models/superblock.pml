/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * superblock.pml - the superblock's log in two copies, under power cuts (FORMAT.md, O4, O5;
 * core/super.c, lifecycle/superfind.c).
 *
 * A copy is a chunk of K places for records. A record is written to one copy, flushed, then written
 * to the other and flushed. A copy without room is reset first. A cut may come between any two
 * steps: of what was not flushed a copy keeps a prefix whose last record may be torn, or be there and
 * not readable; a reset under way is done, not done, or leaves any of the old records, that one too.
 *
 * PROVED  After every cut a device is found, with a record not older than the last one that was
 *         acknowledged or found before. What is found in a leftover alone does not count as found:
 *         the other copy has one that is not older than that. A life in which no chunk fails never
 *         gives both copies up.
 *
 * PLANTED, each of which must fail:
 *   HEADLESS_IGNORED  what a reset left half way is appended to (the defect that was once there)
 *   BOTH_AT_ONCE      no flush between the copies
 *   NEWEST_FIRST      the copy that has the last record is written first
 *   FIRST_NOT_FLUSHED the record is acknowledged before it is flushed
 *   LEFTOVER_KEPT     what a reset left half way is not reset when it has a newer record
 */
#ifndef RECORDS
#define RECORDS 9 /* that are written, in all lives */
#endif
#ifndef CUTS
#define CUTS 3
#endif
#define K 3

typedef chunk {
    byte record[K]; /* its number; 0: nothing that can be read */
    bit begins;     /* place 0 looks like a record's beginning, whole or not */
    byte unread;    /* of a record that a cut left too near the end to be read (mw_cunits); 0: none */
    byte unread_at; /* its place */
    byte wp, durable;
    bit resetting
};
chunk media[2];

/* What the host knows; as struct super. */
byte newest[2];
bit headless[2], dead[2];
byte number;

byte known;  /* acknowledged, or found by a recovery */
byte issued;
byte cuts;
byte copy, other, i, keep, found;

inline write_record() {
    media[copy].record[media[copy].wp] = number;
    if
    :: media[copy].wp == 0 -> media[copy].begins = 1
    :: else
    fi;
    media[copy].wp++
}

inline flush_medium() {
    media[0].durable = media[0].wp;
    media[1].durable = media[1].wp
}

inline erase(c) {
    for (i : 0 .. K - 1) { media[c].record[i] = 0 };
    media[c].wp = 0;
    media[c].durable = 0;
    media[c].begins = 0;
    media[c].unread = 0;
    media[c].resetting = 0
}

/* Some of the old records stay, others do not, and the chunk is not FREE. It may end anywhere. */
inline half_erase(c) {
    select (keep : 1 .. K);
    media[c].wp = keep;
    for (i : 0 .. K - 1) {
        if
        :: media[c].record[i] = 0
        :: i < keep -> skip
        fi
    };
    if
    :: media[c].unread > 0 && media[c].unread_at < keep ->
        media[c].record[media[c].unread_at] = media[c].unread
    :: skip
    fi;
    media[c].unread = 0;
    if
    :: media[c].record[0] == 0 ->
        if
        :: media[c].begins = 0
        :: skip /* the sector with the magic stayed, another one did not */
        fi
    :: else
    fi;
    media[c].durable = media[c].wp;
    media[c].resetting = 0
}

inline lose(c) {
    select (keep : 0 .. K);
    if
    :: keep < media[c].durable -> keep = media[c].durable
    :: keep > media[c].wp -> keep = media[c].wp
    :: else
    fi;
    if
    :: keep > media[c].durable -> /* the last of them may be torn */
        if
        :: media[c].record[keep - 1] = 0;
            if
            :: keep == 1 -> media[c].begins = 0
            :: skip
            fi
        :: media[c].unread == 0 ->
            media[c].unread = media[c].record[keep - 1];
            media[c].unread_at = keep - 1;
            media[c].record[keep - 1] = 0
        :: skip
        fi
    :: else
    fi;
    for (i : 0 .. K - 1) {
        if
        :: i >= keep -> media[c].record[i] = 0
        :: else
        fi
    };
    if
    :: keep == 0 -> media[c].begins = 0
    :: else
    fi;
    media[c].wp = keep;
    media[c].durable = keep
}

inline cut_chunk(c) {
    if
    :: media[c].resetting ->
        if
        :: erase(c)
        :: half_erase(c)
        :: media[c].resetting = 0
        fi
    :: else -> lose(c)
    fi
}

/* The last one that can be read, from the end backwards. */
inline look_at_copy(c) {
    newest[c] = 0;
    for (i : 0 .. K - 1) {
        if
        :: i < media[c].wp && media[c].record[i] > 0 -> newest[c] = media[c].record[i]
        :: else
        fi
    };
    headless[c] = (media[c].wp > 0 && media[c].begins == 0);
    /* A chunk is found by its beginning only. */
    if
    :: newest[c] > 0 && !headless[c] -> found = 1
    :: else
    fi
}

#define LEFTOVER(c)                                                                                \
    (headless[c] && !headless[1 - (c)] && !dead[1 - (c)] && newest[1 - (c)] > 0)

inline recover() {
    found = 0;
    look_at_copy(0);
    look_at_copy(1);
    assert(found);
    number = (newest[0] > newest[1] -> newest[0] : newest[1]);
    assert(number >= known);
    assert(number <= issued);
    dead[0] = 0;
    dead[1] = 0;
    if
    :: LEFTOVER(0) && newest[0] > newest[1] -> assert(newest[1] >= known); known = newest[1]
    :: LEFTOVER(1) && newest[1] > newest[0] -> assert(newest[0] >= known); known = newest[0]
    :: else -> known = number
    fi
#ifdef HEADLESS_IGNORED
    ;
    headless[0] = 0;
    headless[1] = 0
#endif
}

#define HAS_ROOM(c)                                                                                \
    (media[c].wp < K && (media[c].wp == 0 || (newest[c] > 0 && headless[c] == 0)))

active proctype device()
{
    /* Format: both copies hold the first record. */
    atomic {
        number = 1;
        issued = 1;
        known = 1;
        newest[0] = 1;
        newest[1] = 1;
        copy = 0;
        write_record();
        copy = 1;
        write_record();
        flush_medium()
    };
start:
    if
    :: issued == RECORDS -> goto done
    :: atomic {
            issued < RECORDS ->
            number++;
            issued = number;
            copy = (newest[1] < newest[0] -> 1 : 0);
            if
            :: newest[0] == newest[1] && headless[1] -> copy = 1
            :: else
            fi;
#ifndef LEFTOVER_KEPT
            if
            :: LEFTOVER(1 - copy) && !(HAS_ROOM(copy)) -> copy = 1 - copy
            :: else
            fi;
#endif
#ifdef NEWEST_FIRST
            copy = 1 - copy;
#endif
            if
            :: dead[copy] -> copy = 1 - copy
            :: else
            fi
        }
    :: atomic { cuts < CUTS -> goto power }
    fi;
next_copy:
    atomic {
        other = 1 - copy;
        if
        :: dead[copy] -> goto give_up
        :: else -> skip
        fi;
        if
        :: HAS_ROOM(copy) -> goto append
        :: else -> skip
        fi;
        if
        :: dead[other] || headless[other] ||
           (newest[copy] > newest[other] && !LEFTOVER(copy)) -> goto give_up
        :: else -> media[copy].resetting = 1
        fi
    };
    if
    :: atomic {
            erase(copy);
            newest[copy] = 0;
            headless[copy] = 0
        }
    :: atomic { cuts < CUTS -> goto power }
    fi;
append:
    if
    :: atomic {
            write_record();
#ifdef FIRST_NOT_FLUSHED
            known = number;
#endif
#ifdef BOTH_AT_ONCE
            if
            :: newest[other] != number ->
                newest[copy] = number;
                copy = other;
                goto next_copy
            :: else
            fi;
#endif
            skip
        }
    :: atomic { cuts < CUTS -> goto power }
    fi;
    if
    :: atomic {
            flush_medium();
            newest[copy] = number
        }
    :: atomic { cuts < CUTS -> goto power }
    fi;
    atomic {
        other = 1 - copy;
        if
        :: dead[other] || newest[other] == number -> goto acknowledge
        :: else ->
            copy = other;
            goto next_copy
        fi
    };
give_up:
    atomic {
        dead[copy] = 1;
        other = 1 - copy;
        assert(!dead[other]); /* otherwise the device is read-only, and no chunk failed */
        if
        :: newest[other] == number -> goto acknowledge
        :: else ->
            copy = other;
            goto next_copy
        fi
    };
acknowledge:
    atomic {
        known = number;
        goto start
    };
power:
    atomic {
        cuts++;
        cut_chunk(0);
        cut_chunk(1);
        recover();
        goto start
    };
done:
    skip
}
